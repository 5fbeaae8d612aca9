//! Threads of async calls: long work of the host runs beside the thread that awaits it. A blocking call does everything on
//! its own thread. A browser has no threads.

#[cfg(target_arch = "wasm32")]
pub(crate) struct Beside<T>(pub std::pin::Pin<Box<dyn Future<Output = T>>>);

#[cfg(target_arch = "wasm32")]
impl<T> std::fmt::Debug for Beside<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beside")
    }
}

#[cfg(target_arch = "wasm32")]
impl<T> Beside<T> {
    pub(crate) async fn result(self) -> T {
        self.0.await
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{Beside, beside, block_on, block_on_start, is_blocking, is_detached, thread};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::Cell;
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::thread::{Builder, ThreadId, current};
    use std::time::Duration;

    use crate::error::{Error, ErrorKind, Result};
    use crate::sync::Event;

    thread_local! {
        static BLOCKING: Cell<bool> = const { Cell::new(false) };
        static DETACHED: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether this thread is in a blocking call.
    pub(crate) fn is_blocking() -> bool {
        BLOCKING.get()
    }

    /// Whether this thread is in a blocking call that only starts work.
    pub(crate) fn is_detached() -> bool {
        DETACHED.get()
    }

    /// Runs a future of this crate to its end on this thread, which also polls the devices that the future waits for.
    pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
        blocking(future, false)
    }

    /// As [`block_on`], for a future that only starts work.
    pub(crate) fn block_on_start<T>(future: impl Future<Output = T>) -> T {
        blocking(future, true)
    }

    fn blocking<T>(future: impl Future<Output = T>, detached: bool) -> T {
        struct Outer(bool, bool);
        impl Drop for Outer {
            fn drop(&mut self) {
                BLOCKING.set(self.0);
                DETACHED.set(self.1);
            }
        }
        let _outer = Outer(BLOCKING.replace(true), DETACHED.replace(detached));
        pollster::block_on(future)
    }

    /// What a thread computes. If it is dropped, the thread comes to its end alone.
    pub(crate) struct Beside<T: 'static>(Arc<Answer<T>>);

    /// The result of a thread, and whether it is there.
    struct Answer<T> {
        given: Event,
        result: Mutex<Option<std::thread::Result<T>>>,
    }

    impl<T> std::fmt::Debug for Beside<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Beside")
        }
    }

    /// The result of `work`, which runs on a thread of its own unless the call is a blocking one. If the future is dropped, the
    /// thread comes to its end alone.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) async fn beside<F>(work: F) -> Result<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match is_blocking() {
            true => Ok(work.await),
            false => Ok(thread(|| block_on(work))?.result().await),
        }
    }

    /// Gives work to a thread. It polls the devices that the work waits for if it uses [`block_on`].
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<Beside<T>> {
        let answer = Arc::new(Answer { given: Event::default(), result: Mutex::new(None) });
        let told = answer.clone();
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            *told.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            told.given.set();
        };
        let given = give(Box::new(work));
        given.map_err(|e| Error::new(ErrorKind::Memory, format!("no thread can be had: {e}")).because(e))?;
        Ok(Beside(answer))
    }

    type Work = Box<dyn FnOnce() + Send>;

    /// How long a thread without work waits for more: to start one takes longer than to wake one.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// The threads without work.
    static IDLE: Mutex<Vec<(ThreadId, Sender<Work>)>> = Mutex::new(vec![]);

    fn idle() -> MutexGuard<'static, Vec<(ThreadId, Sender<Work>)>> {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives work to a thread without, else to a new one: work never waits for other work.
    fn give(work: Work) -> io::Result<()> {
        let waiting = idle().pop();
        match waiting {
            Some((_, thread)) => {
                thread.send(work).expect("a thread leaves the list before it ends");
                Ok(())
            }
            None => Builder::new().name("convgpu-work".to_owned()).spawn(|| serve(work)).map(drop),
        }
    }

    /// The life of such a thread.
    fn serve(first: Work) {
        let (sender, receiver) = channel::<Work>();
        let id = current().id();
        let mut work = Some(first);
        while let Some(given) = work {
            given();
            idle().push((id, sender.clone()));
            work = receiver.recv_timeout(PATIENCE).ok();
            if work.is_none() && !retire(id) {
                work = receiver.recv().ok();
            }
        }
    }

    /// Takes a thread from those without work; `false` if it is being given some.
    fn retire(id: ThreadId) -> bool {
        let mut idle = idle();
        let found = idle.iter().position(|(other, _)| *other == id);
        found.map(|k| idle.remove(k)).is_some()
    }

    impl<T: 'static> Beside<T> {
        pub(crate) async fn result(self) -> T {
            self.0.given.wait().await;
            let result = self.0.result.lock().unwrap_or_else(PoisonError::into_inner).take();
            match result.expect("it is set before the event") {
                Ok(out) => out,
                Err(panic) => resume_unwind(panic),
            }
        }
    }
}

//! Threads of async calls: long work of the host runs beside the thread that awaits it. A blocking call does everything on its own
//! thread. A browser has no threads.

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
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

    use crate::error::{Error, ErrorKind, Result};

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
    pub(crate) struct Beside<T: 'static>(OneshotReceiver<std::thread::Result<T>>);

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

    /// Starts a thread. It polls the devices that the work waits for if it uses [`block_on`].
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<Beside<T>> {
        let (sender, receiver) = oneshot_channel();
        let thread = std::thread::Builder::new().name("convgpu-work".to_owned());
        let started = thread.spawn(move || drop(sender.send(catch_unwind(AssertUnwindSafe(work)))));
        started.map_err(|e| Error::new(ErrorKind::Memory, format!("no thread can be had: {e}")).because(e))?;
        Ok(Beside(receiver))
    }

    impl<T: 'static> Beside<T> {
        pub(crate) async fn result(self) -> T {
            match self.0.receive().await.expect("the thread sends before it ends") {
                Ok(out) => out,
                Err(panic) => resume_unwind(panic),
            }
        }
    }
}

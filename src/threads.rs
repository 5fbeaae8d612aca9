//! Threads of async calls: long work of the host runs beside the thread that awaits it. A blocking call does everything on its own
//! thread. A browser has no threads.

use crate::error::Result;

#[cfg(target_arch = "wasm32")]
pub(crate) async fn beside<F: Future>(work: F) -> Result<F::Output> {
    Ok(work.await)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{beside, block_on, is_blocking};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use futures_intrusive::channel::shared::oneshot_channel;

    use super::Result;
    use crate::error::{Error, ErrorKind};

    thread_local! {
        static BLOCKING: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether this thread is in a blocking call.
    pub(crate) fn is_blocking() -> bool {
        BLOCKING.get()
    }

    /// Runs a future of this crate to its end on this thread, which also polls the devices that the future waits for.
    pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
        struct Outer(bool);
        impl Drop for Outer {
            fn drop(&mut self) {
                BLOCKING.set(self.0);
            }
        }
        let _outer = Outer(BLOCKING.replace(true));
        pollster::block_on(future)
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
        if is_blocking() {
            return Ok(work.await);
        }
        let (sender, receiver) = oneshot_channel();
        let thread = std::thread::Builder::new().name("convgpu-work".to_owned());
        let started = thread.spawn(move || drop(sender.send(catch_unwind(AssertUnwindSafe(|| block_on(work))))));
        started.map_err(|e| Error::new(ErrorKind::Memory, format!("no thread can be had: {e}")).because(e))?;
        match receiver.receive().await.expect("the thread sends before it ends") {
            Ok(out) => Ok(out),
            Err(panic) => resume_unwind(panic),
        }
    }
}

//! Waiting for submitted work without blocking the thread that awaits. wgpu's callbacks run only while somebody polls the device:
//!
//! - in a blocking call ([`block_on`](crate::threads::block_on)) that is the calling thread;
//! - in an async call a thread of the device, which starts with the first such wait and ends with the device;
//! - for a device that belongs to the program, the program itself: a thread of this crate would run the program's callbacks.
//!
//! In a browser the event loop does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::adapter::Gpu;
use super::signal::Signal;
use crate::error::Result;
#[cfg(target_arch = "wasm32")]
use crate::threads::Beside;

/// Commands that a device was given.
#[derive(Clone)]
pub(crate) struct Submission {
    index: wgpu::SubmissionIndex,
    /// Set when they are done.
    done: Signal,
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.done.is_set() { "Submission(done)" } else { "Submission(not done)" })
    }
}

/// Counts a run as long as it exists: from before it is submitted until it is known to be done.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub fn new(count: &Arc<AtomicUsize>) -> Counted {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gpu {
    /// Gives commands to the device, in this order; `then` is dropped when they are done.
    pub(crate) fn submit(
        &self,
        commands: impl IntoIterator<Item = wgpu::CommandBuffer>,
        then: impl Send + 'static,
    ) -> Submission {
        let commands: Vec<_> = commands.into_iter().collect();
        let (setter, done) = Signal::new();
        let called = move || drop((then, setter));
        let index = match commands.last() {
            Some(last) => {
                // The queue would call back after what other threads submit meanwhile, too.
                last.on_submitted_work_done(called);
                self.queue().submit(commands)
            }
            None => {
                let index = self.queue().submit([]);
                self.queue().on_submitted_work_done(called);
                index
            }
        };
        Submission { index, done }
    }
}

#[cfg(target_arch = "wasm32")]
impl Gpu {
    /// An error if the device is lost.
    pub(crate) async fn alive(&self) -> Result<()> {
        self.check()
    }

    /// Returns at once: what is mapped after this submission becomes ready after it.
    pub(crate) async fn finished(&self, _: &Submission) -> Result<()> {
        self.check()
    }

    /// Waits until wgpu calls back.
    pub(crate) async fn called(&self, _: &Submission, signal: &Signal) -> Result<()> {
        signal.wait().await;
        self.check()
    }

    /// Awaits what another call brings about.
    pub(crate) async fn meanwhile<F: Future>(&self, other: F) -> F::Output {
        other.await
    }

    /// A browser does not hold up a submission.
    pub(crate) fn submits_beside(&self) -> bool {
        false
    }

    /// Work that is done when it is awaited: a browser has no threads.
    pub(crate) fn thread<F: Future + 'static>(&self, work: F) -> Result<Beside<F::Output>> {
        Ok(Beside(Box::pin(work)))
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::future::poll_fn;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::{Gpu, Result, Signal, Submission};
    use crate::error::{Error, ErrorKind};
    use crate::gpu::fault::caused;
    use crate::gpu::poller::{SHORTEST, longer, polled};
    use crate::threads::{Beside, block_on, is_blocking, is_detached, thread};

    /// The longest wait of one call on GL, where it holds a lock that other threads need.
    const AT_MOST: Duration = Duration::from_millis(50);

    /// Between two polls of a device of the program.
    const PAUSE: Duration = Duration::from_micros(200);

    impl Gpu {
        /// An error if the device is lost. One that belongs to the program reports its loss to the program alone, and errors of a
        /// lost device are in no scope: but it has no memory to map.
        pub(crate) async fn alive(&self) -> Result<()> {
            if self.poller().is_none() {
                let usage = wgpu::BufferUsages::COPY_SRC;
                let probe = wgpu::BufferDescriptor { label: Some("probe"), size: 16, usage, mapped_at_creation: true };
                let probe = self.guarded(|| self.device().create_buffer(&probe)).await?;
                if let Err(e) = probe.get_mapped_range_mut(..) {
                    return Err(caused(Error::new(ErrorKind::DeviceLost, "the device is lost: it has no memory"), e));
                }
            }
            self.check()
        }

        /// Waits for a submission, and so for those before it.
        ///
        /// # Errors
        /// The device is lost.
        pub(crate) async fn finished(&self, submission: &Submission) -> Result<()> {
            self.called(submission, &submission.done).await
        }

        /// Waits until wgpu calls back, which it does after this submission.
        ///
        /// # Errors
        /// The device is lost.
        pub(crate) async fn called(&self, submission: &Submission, signal: &Signal) -> Result<()> {
            if is_blocking() {
                // A wait inside wgpu holds up submissions: not where other runs are in flight.
                let alone = self.poller().is_none() || self.runs() <= 1;
                while alone && !waited(self.device(), &submission.index)? {
                    self.check()?;
                }
                // Usually wgpu has called back now. Another thread may be about to, or it does so after a later submission.
                let mut pause = SHORTEST;
                while !signal.is_set() {
                    polled(self.device())?;
                    self.check()?;
                    std::thread::sleep(pause);
                    pause = longer(pause);
                }
            } else if let Some(poller) = self.poller() {
                poller.ask(self.device(), signal).await?;
            } else {
                signal.wait().await;
            }
            self.check()
        }

        /// How many runs are submitted, or will be, and are not known to be done.
        fn runs(&self) -> usize {
            self.running().load(Ordering::Relaxed)
        }

        /// Whether a thread submits the work of this call: in an async call, and for runs in flight, if other runs are. Not on a
        /// device of the program, whose callbacks wgpu calls where work is submitted.
        pub(crate) fn submits_beside(&self) -> bool {
            let waits = is_blocking() && !is_detached();
            self.poller().is_some() && !waits && self.runs() > 0
        }

        /// Awaits what another call brings about. On a device of the program a blocking call polls meanwhile, since the other
        /// call may wait for that.
        pub(crate) async fn meanwhile<F: Future>(&self, other: F) -> F::Output {
            if !is_blocking() || self.poller().is_some() {
                return other.await;
            }
            let mut other = pin!(other);
            poll_fn(|context| {
                let answer = other.as_mut().poll(context);
                if answer.is_pending() {
                    let _ = self.device().poll(wgpu::PollType::Poll);
                    std::thread::sleep(PAUSE);
                    context.waker().wake_by_ref();
                }
                answer
            })
            .await
        }

        /// Starts a thread for `work`. It polls the device only if that is not the program's.
        ///
        /// # Errors
        /// No thread can be had.
        pub(crate) fn thread<F>(&self, work: F) -> Result<Beside<F::Output>>
        where
            F: Future<Output: Send> + Send + 'static,
        {
            match self.poller() {
                Some(_) => thread(|| block_on(work)),
                None => thread(|| pollster::block_on(work)),
            }
        }

        /// The result of `work`, which runs on such a thread unless the call is a blocking one. If the future is dropped, the
        /// thread comes to its end alone.
        ///
        /// # Errors
        /// No thread can be had.
        pub(crate) async fn beside<F>(&self, work: F) -> Result<F::Output>
        where
            F: Future<Output: Send> + Send + 'static,
        {
            match is_blocking() {
                true => Ok(work.await),
                false => Ok(self.thread(work)?.result().await),
            }
        }
    }

    /// Waits for a submission, on GL for a while; whether it is done.
    fn waited(device: &wgpu::Device, index: &wgpu::SubmissionIndex) -> Result<bool> {
        // A wait that times out while another thread polls may find the queue empty, which wgpu takes for a mistake of its own:
        // it panics. On GL only one thread waits at a time, so that it does not happen often; elsewhere no wait times out.
        static GL: Mutex<()> = Mutex::new(());
        let gl = device.adapter_info().backend == wgpu::Backend::Gl;
        let _turn = gl.then(|| GL.lock().unwrap_or_else(|e| e.into_inner()));
        let timeout = gl.then_some(AT_MOST);
        let wait = wgpu::PollType::Wait { submission_index: Some(index.clone()), timeout };
        match catch_unwind(AssertUnwindSafe(|| device.poll(wait))) {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(wgpu::PollError::Timeout)) => Ok(false),
            Err(panic) if panic.downcast_ref::<String>().is_some_and(|text| text.contains("queue is empty")) => {
                Ok(true)
            }
            // wgpu panics, too, if the device is lost meanwhile.
            Err(_) => Err(Error::new(ErrorKind::DeviceLost, "the device was lost while it was waited for")),
            // A lost device gives a submission a number without taking it.
            Ok(Err(e)) => {
                Err(caused(Error::new(ErrorKind::DeviceLost, "the device is lost: it does not take work"), e))
            }
        }
    }
}

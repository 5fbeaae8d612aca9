//! The thread that polls a device of this crate's own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::fault::caused;
use super::signal::Signal;
use crate::error::{Error, ErrorKind, Result};

/// Between two polls of a device of this crate's own.
pub(super) const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_micros(500);

pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 5 / 4).min(LONGEST)
}

/// The thread that polls a device of this crate's own while calls are awaited. It does not wait inside wgpu, which holds
/// a lock then that every submission needs.
#[derive(Default)]
pub(crate) struct Poller(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// For each call that is awaited, what wgpu sets when it calls back.
    waiting: Vec<Signal>,
    /// Why no more callbacks come.
    failure: Option<Error>,
    thread: Option<JoinHandle<()>>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Polls while somebody waits, at first often.
    fn run(&self, device: &wgpu::Device) {
        let (mut state, mut pause) = (self.lock(), SHORTEST);
        while !state.closed {
            if state.waiting.is_empty() {
                state = self.news.wait(state).unwrap_or_else(|e| e.into_inner());
                pause = SHORTEST;
                continue;
            }
            drop(state);
            let answer = polled(device);
            state = self.lock();
            if let Err(e) = answer {
                state.failure = Some(e);
                state.waiting.iter().for_each(Signal::set);
            }
            let before = state.waiting.len();
            state.waiting.retain(|signal| !signal.is_set());
            if state.waiting.len() == before {
                state = self.news.wait_timeout(state, pause).unwrap_or_else(|e| e.into_inner()).0;
                pause = longer(pause);
            } else {
                pause = SHORTEST;
            }
        }
    }
}

/// Lets wgpu call back what is done.
pub(super) fn polled(device: &wgpu::Device) -> Result<()> {
    let lost = || Error::new(ErrorKind::DeviceLost, "the device was lost while it was waited for");
    match catch_unwind(AssertUnwindSafe(|| device.poll(wgpu::PollType::Poll))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(caused(lost(), e)),
        // wgpu panics if the device is lost meanwhile.
        Err(_) => Err(lost()),
    }
}

impl Poller {
    /// Waits until wgpu calls back.
    pub async fn ask(&self, device: &wgpu::Device, signal: &Signal) -> Result<()> {
        self.poll_for(device, signal)?;
        signal.wait().await;
        self.0.lock().failure.clone().map_or(Ok(()), Err)
    }

    fn poll_for(&self, device: &wgpu::Device, signal: &Signal) -> Result<()> {
        let mut state = self.0.lock();
        if let Some(e) = &state.failure {
            return Err(e.clone());
        }
        if state.thread.is_none() {
            let (shared, device) = (self.0.clone(), device.clone());
            let thread = std::thread::Builder::new().name("convgpu-poll".to_owned());
            let started = thread.spawn(move || shared.run(&device));
            state.thread = Some(started.map_err(|e| {
                Error::new(ErrorKind::Memory, format!("no thread waits for the device: {e}")).because(e)
            })?);
        }
        state.waiting.push(signal.clone());
        self.0.news.notify_one();
        Ok(())
    }
}

/// Waits for the thread: a driver must not be unloaded by it while the program ends.
impl Drop for Poller {
    fn drop(&mut self) {
        let thread = {
            let mut state = self.0.lock();
            state.closed = true;
            state.thread.take()
        };
        self.0.news.notify_one();
        // It may be the thread itself that drops the device, in a callback.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

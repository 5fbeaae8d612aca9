//! Callbacks of wgpu as something to wait for.

use std::sync::Arc;

use crate::sync::Event;

/// Set when wgpu calls back, which it does while somebody polls.
#[derive(Clone)]
pub(crate) struct Signal(Arc<Event>);

/// Part of a callback: sets the signal when it is dropped, even if wgpu drops the callback and never calls it.
pub(crate) struct Setter(Signal);

impl Drop for Setter {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl Signal {
    pub fn new() -> (Setter, Signal) {
        let signal = Signal(Arc::default());
        (Setter(signal.clone()), signal)
    }
    pub fn set(&self) {
        self.0.set();
    }
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }
    pub async fn wait(&self) {
        self.0.wait().await;
    }
}

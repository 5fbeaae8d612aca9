//! Which clock times an adapter's dispatches: its own if that proves right, else the host's.
//!
//! Timestamps may be 0, reversed, too coarse for a dispatch, or in another unit than the driver says. So the first measurement
//! times a known dispatch by both clocks; and a device's clock that fails later is not asked again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Instant;

use super::adapter::Gpu;
use super::direct::Part;
use super::launch::{Arg, Launch, params};
use super::roofline;
use super::stamps::Span;
use super::submit::Step;
use super::tensor_buffer::TensorBuffer;
use crate::error::Result;

/// The clock of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's clock: the kernels alone.
    Device,
    /// The host's clock, around a submission: the cost of submitting is included.
    Host,
}

impl Clock {
    /// The word for programs: `device` or `host`.
    pub fn word(self) -> &'static str {
        match self {
            Clock::Device => "device",
            Clock::Host => "host",
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {}'s clock", self.word())
    }
}

/// How often a time is taken before the device's clock is given up: a stamp may be lost once.
pub(super) const TRIES: usize = 3;

/// The clocks of the adapters that were asked, for the whole process: a device that is opened again is timed as it was before.
static KNOWN: Mutex<BTreeMap<String, Clock>> = Mutex::new(BTreeMap::new());

fn known<R>(act: impl FnOnce(&mut BTreeMap<String, Clock>) -> R) -> R {
    act(&mut KNOWN.lock().unwrap_or_else(|e| e.into_inner()))
}

/// The known dispatch: values and steps of `roofline_fma`, 0.13 GFLOP.
const VALUES: usize = 1 << 16;
const ROUNDS: usize = 64;

impl Gpu {
    /// The clock that times this device's dispatches. The first call for an adapter calibrates it.
    ///
    /// # Errors
    /// The device is lost, or lacks memory for the calibration.
    pub(crate) async fn clock(&self) -> Result<Clock> {
        if !self.caps().timestamps {
            return Ok(Clock::Host);
        }
        let adapter = self.info().to_string();
        if let Some(clock) = known(|clocks| clocks.get(&adapter).copied()) {
            return Ok(clock);
        }
        let clock = self.calibrate().await?;
        Ok(known(|clocks| *clocks.entry(adapter).or_insert(clock)))
    }

    /// Times this adapter by this clock from now on.
    pub(crate) fn use_clock(&self, clock: Clock) {
        known(|clocks| clocks.insert(self.info().to_string(), clock));
    }

    /// Times the known dispatch by both clocks.
    async fn calibrate(&self) -> Result<Clock> {
        let (count4, bytes) = (VALUES / 4, 4 * VALUES as u64);
        let launch = Launch::flat(&roofline::FMA, count4, params!(count4, rounds: ROUNDS, a: 1.0f32, b: 1.0f32))
            .reads([Arg::Input(0)])
            .writes([Arg::Output(0)]);
        let ready = self.ready(&launch).await?;
        let (from, to) = (self.tensor_buffer(bytes).await?, self.tensor_buffer(bytes).await?);
        let (from, to) = (TensorBuffer::from(from), TensorBuffer::from(to));
        let bind = || ready.bound(self, Part::of(&from, bytes), Part::of(&to, bytes));
        let (pipeline, group, workgroups) = self.guarded(bind).await?;
        let step = [Step::Dispatch { pipeline, bind_groups: vec![group], workgroups }];
        for _ in 0..TRIES {
            let begin = Instant::now();
            let device = self.time_passes(&[&step]).await?[0];
            if !is_right(device, begin.elapsed().as_secs_f64()) {
                return Ok(Clock::Host);
            }
        }
        Ok(Clock::Device)
    }
}

/// Whether the device's clock may be right, by which work took `device` that the host waited `host` seconds for.
fn is_right(device: Span, host: f64) -> bool {
    device.is_some_and(|device| device <= host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_or_is_too_fast_is_wrong() {
        assert!(is_right(Some(1e-3), 1.1e-3) && is_right(Some(1e-3), 1e-3));
        assert!(!is_right(None, 1e-3), "zero or reversed");
        assert!(!is_right(Some(1e-3), 0.9e-3), "longer than the host waited");
    }
}

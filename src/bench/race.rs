//! Several variants of one case, timed alternately, so that a drift of the device's speed affects all equally.

use std::time::{Duration, Instant};

use super::case::Case;
use super::open_device::Stopped;
use super::samples::Samples;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::clock::Clock;
use crate::gpu::recording::Dispatch;
use crate::ops::relayout::is_conversion;
use crate::session::{CompileOptions, Compiled};

/// A sample of a short kernel repeats it for about this long, so that the clock's resolution suffices.
const SAMPLE_SECONDS: f64 = 5e-3;
/// The time of a kernel is first estimated from the fastest of this many runs: threads and memory are not ready in the
/// first, and a sample of too few repetitions would measure the submission.
const WARM_UPS: usize = 5;
/// The most repetitions in one command buffer.
const MAX_REPEATS: f64 = 1000.0;
/// No sample may take longer than this by the host's clock, whatever the device's says: drivers stop a submission that takes too
/// long.
const LONGEST_SECONDS: f64 = 0.2;

/// A variant that has used this many times the requested time may have fewer samples.
const SLOW: f64 = 5.0;

/// A variant that takes this many times as long as the fastest before it gets one sample only.
pub(crate) const HOPELESS: f64 = 20.0;

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Every variant is timed until its samples add up to this duration.
    pub(crate) time: Duration,
    /// The fewest samples.
    pub(crate) samples: usize,
    /// The most variants of a case that are measured, in the static order.
    pub(crate) variants: usize,
}

impl Effort {
    /// Every variant is timed until its samples add up to `time`, and at least three times.
    pub const fn new(time: Duration) -> Effort {
        Effort { time, samples: 3, variants: usize::MAX }
    }
    /// The fewest samples of a variant.
    pub const fn samples(mut self, least: usize) -> Effort {
        self.samples = least;
        self
    }
    /// The most variants of a case, in the static order; 1 measures only the one that is chosen without tuning.
    pub const fn variants(mut self, most: usize) -> Effort {
        self.variants = most;
        self
    }
}

/// One variant of a case on a device.
pub struct Contestant<'a> {
    compiled: Compiled,
    case: &'a Case,
    repeats: usize,
    /// Whether it has one sample only: it is more than [`HOPELESS`] times as slow as the fastest before it.
    pub hopeless: bool,
    /// Time of the kernels without conversions between layouts.
    pub kernel: Samples,
    /// Time of a whole call: upload, conversions, kernels, readback.
    pub call: Samples,
    /// Seconds of the kernels, the fastest of the runs before the race.
    pub guess: f64,
}

impl<'a> Contestant<'a> {
    /// Compiles a variant of the case, runs it, and finds how often a sample must repeat it. `fastest` is the time of
    /// the kernels of the fastest variant so far, in seconds; infinity if there is none.
    ///
    /// # Errors
    /// The device lacks memory, is lost, or is the reference.
    pub async fn new(device: &Device, case: &'a Case, alternative: usize, fastest: f64) -> Result<Contestant<'a>> {
        let plan = case.setup(alternative).plan(&case.graph);
        let options = CompileOptions { rewrite: false, plan, ..CompileOptions::default() };
        let compiled = Compiled::new_async(device, case.graph.clone(), &options).await?;
        let (kernel, call) = (Samples::default(), Samples::default());
        let mut made = Contestant { compiled, case, repeats: 1, hopeless: false, kernel, call, guess: f64::NAN };
        let first_call = made.time_call().await?;
        let (once, mut host) = made.time_once().await?;
        made.guess = once;
        if is_hopeless(once, fastest) {
            made.hopeless = true;
            made.kernel.push(Duration::from_secs_f64(once));
            made.call.push(first_call);
            return Ok(made);
        }
        for _ in 1..WARM_UPS {
            let again = made.time_once().await?;
            (made.guess, host) = (made.guess.min(again.0), host.min(again.1));
        }
        made.repeats = repeats(made.guess, host);
        Ok(made)
    }

    /// Seconds of the kernels, and of their submission by the host's clock.
    async fn time_once(&self) -> Result<(f64, f64)> {
        let begin = Instant::now();
        Ok((self.time_kernel().await?, begin.elapsed().as_secs_f64()))
    }

    async fn time_kernel(&self) -> Result<f64> {
        let wanted = |d: &Dispatch| !is_conversion(d) && self.case.only.is_none_or(|k| d.kernel.name.starts_with(k));
        self.compiled.repeat_async(wanted, self.repeats).await
    }

    async fn time_call(&self) -> Result<Duration> {
        let begin = Instant::now();
        self.compiled.run_async(&self.case.inputs()).await?;
        Ok(begin.elapsed())
    }

    async fn sample(&mut self) -> Result<()> {
        let kernel = self.time_kernel().await?;
        self.kernel.push(Duration::from_secs_f64(kernel));
        self.call.push(self.time_call().await?);
        Ok(())
    }

    fn is_done(&self, effort: &Effort) -> bool {
        let spent = self.kernel.total().as_secs_f64() * self.repeats as f64 + self.call.total().as_secs_f64();
        let time = effort.time.as_secs_f64();
        let enough = self.call.len() >= effort.samples || spent >= SLOW * time;
        (self.hopeless || enough && spent >= time) && !self.call.is_empty()
    }
}

/// How often a sample repeats a kernel of this many seconds, given those of its submission by the host's clock.
fn repeats(kernel: f64, host: f64) -> usize {
    (SAMPLE_SECONDS / kernel).min(LONGEST_SECONDS / host).clamp(1.0, MAX_REPEATS) as usize
}

/// Whether one run is enough to drop a variant. A run shorter than a sample may be slow by chance.
fn is_hopeless(seconds: f64, fastest: f64) -> bool {
    seconds > SAMPLE_SECONDS && seconds > HOPELESS * fastest
}

/// The clock that times a device's dispatches.
///
/// # Errors
/// The device is lost.
pub async fn clock(device: &Device) -> Result<Clock> {
    match device.gpu() {
        Some(gpu) => gpu.clock().await,
        None => Ok(Clock::Host),
    }
}

/// What `work` measures by one clock: where the device's fails meanwhile, all of it is done again by the host's, so that no
/// table mixes both. `clock` tells the present one.
///
/// # Errors
/// Those of both.
pub async fn by_one_clock<T>(
    clock: impl AsyncFn() -> Result<Clock>,
    mut work: impl AsyncFnMut(Clock) -> Result<T>,
) -> Result<T> {
    loop {
        let before = clock().await?;
        let done = work(before).await?;
        if clock().await? == before {
            return Ok(done);
        }
    }
}

/// Takes samples of all variants alternately until each has enough.
///
/// # Errors
/// The device is lost; by the contestant at work.
pub async fn race(contestants: &mut [Contestant<'_>], effort: &Effort) -> Result<(), Stopped> {
    while contestants.iter().any(|c| !c.is_done(effort)) {
        for (place, c) in contestants.iter_mut().enumerate().filter(|(_, c)| !c.is_done(effort)) {
            c.sample().await.map_err(Stopped::by(place))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Clock, by_one_clock, is_hopeless, repeats};

    #[test]
    fn a_clock_that_stands_does_not_make_a_long_submission() {
        assert_eq!(repeats(1e-6, 1e-4), 1000);
        assert_eq!(repeats(1e-3, 1.2e-3), 5);
        assert_eq!((repeats(1e-9, 0.1), repeats(0.0, 0.5)), (2, 1), "the host waited for much longer");
        assert_eq!(repeats(1.0, 1.0), 1);
    }

    #[test]
    fn what_was_timed_by_two_clocks_is_timed_again() {
        let now = Cell::new(Clock::Device);
        let mut tried = vec![];
        let work = async |clock| {
            tried.push(clock);
            now.set(Clock::Host);
            Ok(tried.len())
        };
        assert_eq!(pollster::block_on(by_one_clock(async || Ok(now.get()), work)).unwrap(), 2);
        assert_eq!(tried, [Clock::Device, Clock::Host]);
    }

    #[test]
    fn only_what_is_far_behind_is_hopeless() {
        assert!(is_hopeless(1.0, 0.01));
        assert!(!is_hopeless(1.0, 0.1) && !is_hopeless(1.0, f64::INFINITY));
        assert!(!is_hopeless(1e-3, 1e-6), "too short to tell");
    }
}

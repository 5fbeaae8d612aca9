//! Times of dispatches, by the device's clock (timestamp queries) if it has one, else by the host's.
//!
//! A profiling run puts every dispatch into its own pass; a normal run is one pass without timestamps.

use std::fmt;
use std::time::{Duration, Instant};

pub use super::clock::Clock;
use super::clock::TRIES;
use super::program::Program;
use super::recording::Recording;
use super::stamps::{MAX_PASSES, Span};
use super::submit::{Source, Step};
use crate::error::Result;

/// One dispatch of a run.
#[derive(Clone, Debug)]
pub struct DispatchTime {
    /// The node that it belongs to.
    pub node: String,
    /// Its kernel.
    pub kernel: &'static str,
    /// How long it took.
    pub time: Duration,
}

/// The times of one profiling run.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The clock of the dispatches.
    pub clock: Clock,
    /// The dispatches, in order.
    pub dispatches: Vec<DispatchTime>,
    /// The run on the host's clock, from the upload to the last byte read back.
    pub total: Duration,
}

impl Profile {
    /// How the dispatches were timed.
    pub fn how(&self) -> &'static str {
        match self.clock {
            Clock::Device => "one pass per dispatch, on the device's clock",
            Clock::Host => "one submission per dispatch, on the host's clock: submitting is included",
        }
    }
    /// The total less all dispatches: upload, readback, encoding, the gaps between passes.
    pub fn other(&self) -> Duration {
        self.total.saturating_sub(self.dispatches.iter().map(|d| d.time).sum())
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total.as_secs_f64();
        let share = |time: f64| if total > 0.0 { 100.0 * time / total } else { 0.0 };
        writeln!(f, "{:<34} {:<26} {:>10} {:>7}", "node", "kernel", "ms", "share")?;
        let mut row = |node: &str, kernel: &str, time: Duration| {
            let time = time.as_secs_f64();
            writeln!(f, "{node:<34} {kernel:<26} {:>10.4} {:>6.1}%", time * 1e3, share(time))
        };
        for d in &self.dispatches {
            row(&d.node, d.kernel, d.time)?;
        }
        row("other", "(upload, readback, gaps)", self.other())?;
        row("total", "", self.total)?;
        writeln!(f, "{}", self.how())
    }
}

impl Program {
    /// One run with every dispatch timed, all by one clock. `recording` must be the one that the program was made from.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn profile(&self, recording: &Recording, sources: &[Source<'_>]) -> Result<Profile> {
        if self.gpu.clock().await? == Clock::Device {
            for _ in 0..TRIES {
                if let Some(profile) = self.profile_by(Clock::Device, recording, sources).await? {
                    return Ok(profile);
                }
            }
            self.gpu.use_clock(Clock::Host);
        }
        Ok(self.profile_by(Clock::Host, recording, sources).await?.expect("the host's clock does not fail"))
    }

    /// `None` if the clock failed.
    async fn profile_by(&self, clock: Clock, recording: &Recording, sources: &[Source<'_>]) -> Result<Option<Profile>> {
        let of = |wanted: fn(&Step) -> bool| self.run.iter().filter(|s| wanted(s)).cloned().collect::<Vec<_>>();
        let begin = Instant::now();
        self.submit(&of(|s| matches!(s, Step::Upload { .. })), sources, &[]).await?.last(&self.gpu).await?;
        let mut seconds = vec![];
        // A submission has the passes of one piece, for the sake of watchdogs.
        for piece in self.run.split(|s| matches!(s, Step::Submit)) {
            let dispatches: Vec<Step> = piece.iter().filter(|s| is_dispatch(s)).cloned().collect();
            for steps in dispatches.chunks(MAX_PASSES) {
                seconds.extend(self.time_each(clock, steps).await?);
            }
        }
        self.read_after(&of(|s| matches!(s, Step::Download { .. })), &self.downloads, |_, _| ()).await?;
        let total = begin.elapsed();
        let Some(seconds) = seconds.into_iter().collect::<Option<Vec<f64>>>() else { return Ok(None) };
        let named = |(d, seconds): (&super::recording::Dispatch, f64)| DispatchTime {
            node: d.node.clone(),
            kernel: d.kernel.name,
            time: Duration::from_secs_f64(seconds),
        };
        let dispatches = recording.dispatches().zip(seconds).map(named).collect();
        Ok(Some(Profile { clock, dispatches, total }))
    }

    /// The time in seconds of one execution of the dispatches that `wanted` selects: the mean of `repeats` in one pass,
    /// on the data of the last run. Nothing is uploaded or read back. Never 0: if the device's clock fails, it is the host's,
    /// then and later.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn repeat(&self, wanted: &[bool], repeats: usize) -> Result<f64> {
        let dispatches = self.run.iter().filter(|s| is_dispatch(s));
        let once: Vec<Step> = dispatches.zip(wanted).filter(|(_, w)| **w).map(|(s, _)| s.clone()).collect();
        let repeats = repeats.max(1);
        let all: Vec<Step> = std::iter::repeat_n(&once, repeats).flatten().cloned().collect();
        Ok(self.time(&all).await? / repeats as f64)
    }

    /// Seconds of these dispatches in one pass.
    async fn time(&self, steps: &[Step]) -> Result<f64> {
        if !steps.is_empty() && self.gpu.clock().await? == Clock::Device {
            for _ in 0..TRIES {
                if let Some(seconds) = self.gpu.time_passes(&[steps]).await?[0] {
                    return Ok(seconds);
                }
            }
            self.gpu.use_clock(Clock::Host);
        }
        self.time_submission(steps).await
    }

    async fn time_each(&self, clock: Clock, steps: &[Step]) -> Result<Vec<Span>> {
        if clock == Clock::Device {
            return self.gpu.time_passes(&steps.chunks(1).collect::<Vec<_>>()).await;
        }
        let mut seconds = vec![];
        for step in steps.chunks(1) {
            seconds.push(Some(self.time_submission(step).await?));
        }
        Ok(seconds)
    }

    async fn time_submission(&self, steps: &[Step]) -> Result<f64> {
        self.gpu.wait()?;
        let begin = Instant::now();
        self.submit(steps, &[], &[]).await?.last(&self.gpu).await?;
        self.gpu.wait()?;
        Ok(begin.elapsed().as_secs_f64())
    }
}

fn is_dispatch(step: &Step) -> bool {
    matches!(step, Step::Dispatch { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_add_up_to_the_total() {
        let d = |ms| DispatchTime { node: "conv".to_owned(), kernel: "conv2d_direct", time: Duration::from_millis(ms) };
        let profile = Profile { clock: Clock::Device, dispatches: vec![d(250), d(500)], total: Duration::from_secs(1) };
        assert_eq!(profile.other(), Duration::from_millis(250));
        let text = profile.to_string();
        assert!(text.contains("other") && text.contains("25.0%") && text.contains("100.0%"), "{text}");
    }
}

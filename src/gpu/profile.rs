//! Times of dispatches, by the device's clock (timestamp queries) if it has one, else by the host's.
//!
//! A profiling run puts every dispatch into its own pass; a normal run is one pass without timestamps.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::adapter::Gpu;
use super::pool::Pooled;
use super::program::Program;
use super::recording::Recording;
use super::submit::{Source, Step};
use super::wait::Submission;
use crate::error::Result;

/// Most timestamps in one query set, two per dispatch.
const MAX_QUERIES: usize = 4096;

/// The clock of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's clock: the kernels alone.
    Device,
    /// The host's clock, one submission per dispatch: the cost of submitting is included.
    Host,
}

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
        match self.clock {
            Clock::Device => writeln!(f, "one pass per dispatch, on the device's clock"),
            Clock::Host => writeln!(f, "one submission per dispatch, on the host's clock: submitting is included"),
        }
    }
}

impl Program {
    /// One run with every dispatch timed. `recording` must be the one that the program was made from.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn profile(&self, recording: &Recording, sources: &[Source<'_>]) -> Result<Profile> {
        let of = |wanted: fn(&Step) -> bool| self.run.iter().filter(|s| wanted(s)).cloned().collect::<Vec<_>>();
        let begin = Instant::now();
        self.submit(&of(|s| matches!(s, Step::Upload { .. })), sources, &[]).await?.last(&self.gpu).await?;
        let mut seconds = vec![];
        for steps in of(is_dispatch).chunks(MAX_QUERIES / 2) {
            seconds.extend(self.time_each(steps).await?);
        }
        self.read_after(&of(|s| matches!(s, Step::Download { .. })), &self.downloads, |_, _| ()).await?;
        let total = begin.elapsed();
        let named = |(d, seconds): (&super::recording::Dispatch, f64)| DispatchTime {
            node: d.node.clone(),
            kernel: d.kernel.name,
            time: Duration::from_secs_f64(seconds),
        };
        let dispatches = recording.dispatches().zip(seconds).map(named).collect();
        Ok(Profile { clock: self.gpu.clock(), dispatches, total })
    }

    /// The time in seconds of one execution of the dispatches that `wanted` selects: the mean of `repeats` in one pass,
    /// on the data of the last run. Nothing is uploaded or read back.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn repeat(&self, wanted: &[bool], repeats: usize) -> Result<f64> {
        let dispatches = self.run.iter().filter(|s| is_dispatch(s));
        let once: Vec<Step> = dispatches.zip(wanted).filter(|(_, w)| **w).map(|(s, _)| s.clone()).collect();
        let repeats = repeats.max(1);
        let all: Vec<Step> = std::iter::repeat_n(&once, repeats).flatten().cloned().collect();
        let seconds = match self.gpu.clock() {
            Clock::Device => self.time_passes(&[&all]).await?[0],
            Clock::Host => self.time_submission(&all).await?,
        };
        Ok(seconds / repeats as f64)
    }

    async fn time_each(&self, steps: &[Step]) -> Result<Vec<f64>> {
        if self.gpu.clock() == Clock::Device {
            return self.time_passes(&steps.chunks(1).collect::<Vec<_>>()).await;
        }
        let mut seconds = vec![];
        for step in steps.chunks(1) {
            seconds.push(self.time_submission(step).await?);
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

    /// Seconds of every pass, all in one submission.
    async fn time_passes(&self, passes: &[&[Step]]) -> Result<Vec<f64>> {
        let gpu = &self.gpu;
        gpu.check()?;
        let stamps = Stamps::new(gpu, passes.len()).await?;
        let work = || {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            for (i, steps) in passes.iter().enumerate() {
                let mut pass = encoder.begin_compute_pass(&stamps.pass(i));
                steps.iter().for_each(|step| step.encode(&mut pass));
            }
            stamps.resolve(&mut encoder);
            gpu.submit(Some(encoder.finish()), ())
        };
        let index = gpu.guarded(work).await?;
        stamps.seconds(gpu, &index).await
    }
}

fn is_dispatch(step: &Step) -> bool {
    matches!(step, Step::Dispatch { .. })
}

impl Gpu {
    /// The clock that times this device's dispatches.
    pub(crate) fn clock(&self) -> Clock {
        if self.caps().timestamps { Clock::Device } else { Clock::Host }
    }
}

/// The timestamps of one submission: the begin and the end of every pass, in nanoseconds times the queue's period.
struct Stamps {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: Arc<Pooled>,
    passes: usize,
}

impl Stamps {
    async fn new(gpu: &Gpu, passes: usize) -> Result<Stamps> {
        let bytes = (passes * 16) as u64;
        let set = wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count: 2 * passes as u32 };
        Ok(Stamps {
            set: gpu.guarded(|| gpu.device().create_query_set(&set)).await?,
            resolved: gpu
                .buffer("timestamps", bytes, wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC)
                .await?,
            staging: Arc::new(gpu.staging_buffer(bytes).await?),
            passes,
        })
    }

    fn bytes(&self) -> u64 {
        self.passes as u64 * 16
    }

    fn pass(&self, i: usize) -> wgpu::ComputePassDescriptor<'_> {
        wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.set,
                beginning_of_pass_write_index: Some(2 * i as u32),
                end_of_pass_write_index: Some(2 * i as u32 + 1),
            }),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.set, 0..2 * self.passes as u32, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, self.staging.buffer(), 0, self.bytes());
    }

    async fn seconds(self, gpu: &Gpu, after: &Submission) -> Result<Vec<f64>> {
        let bytes = self.bytes();
        let ticks = gpu.read(self.staging, bytes, after, bytemuck::pod_collect_to_vec::<u8, u64>).await?;
        let period = f64::from(gpu.queue().get_timestamp_period()) * 1e-9;
        Ok(ticks.chunks_exact(2).map(|t| t[1].saturating_sub(t[0]) as f64 * period).collect())
    }
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

//! Times of passes by the device's clock: timestamp queries.

use std::sync::Arc;

use super::adapter::Gpu;
use super::pool::Pooled;
use super::submit::Step;
use super::wait::Submission;
use crate::error::Result;

/// Most passes of one query set, which holds 4096 stamps.
pub(super) const MAX_PASSES: usize = 2048;

/// No dispatch takes less than this many seconds.
const LEAST: f64 = 1e-9;

/// Seconds by the device's clock; `None` if its stamps are no time: unset, reversed, or one and the same.
pub(super) type Span = Option<f64>;

impl Gpu {
    /// Times of every pass by the device's clock, all in one submission.
    pub(super) async fn time_passes(&self, passes: &[&[Step]]) -> Result<Vec<Span>> {
        self.check()?;
        let stamps = Stamps::new(self, passes.len()).await?;
        let work = || {
            let mut encoder = self.device().create_command_encoder(&Default::default());
            for (i, steps) in passes.iter().enumerate() {
                let mut pass = encoder.begin_compute_pass(&stamps.pass(i));
                steps.iter().for_each(|step| step.encode(&mut pass));
            }
            let [resolve, copy] = stamps.resolve(self);
            self.submit([encoder.finish(), resolve, copy], ())
        };
        let index = self.guarded(work).await?;
        let ticks = stamps.ticks(self, &index).await?;
        let period = f64::from(self.queue().get_timestamp_period()) * 1e-9;
        Ok(ticks.iter().zip(passes).map(|(&ticks, steps)| span(ticks, period, steps.len())).collect())
    }
}

/// The time between two stamps around this many dispatches.
fn span([begin, end]: [u64; 2], period: f64, dispatches: usize) -> Span {
    let ticks = end.checked_sub(begin).filter(|_| begin > 0)?;
    Some(ticks as f64 * period).filter(|seconds| *seconds >= LEAST * dispatches.max(1) as f64)
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

    /// Commands that bring the stamps to the host. Each has an encoder of its own: where one encoder wrote the stamps, resolved
    /// them and copied them, drivers were seen to copy zeros.
    fn resolve(&self, gpu: &Gpu) -> [wgpu::CommandBuffer; 2] {
        let mut resolve = gpu.device().create_command_encoder(&Default::default());
        resolve.resolve_query_set(&self.set, 0..2 * self.passes as u32, &self.resolved, 0);
        let mut copy = gpu.device().create_command_encoder(&Default::default());
        copy.copy_buffer_to_buffer(&self.resolved, 0, self.staging.buffer(), 0, self.bytes());
        [resolve.finish(), copy.finish()]
    }

    /// Begin and end of every pass.
    async fn ticks(self, gpu: &Gpu, after: &Submission) -> Result<Vec<[u64; 2]>> {
        let bytes = self.bytes();
        let ticks = gpu.read(self.staging, bytes, after, bytemuck::pod_collect_to_vec::<u8, u64>).await?;
        Ok(ticks.as_chunks().0.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_that_are_no_time_give_none() {
        assert_eq!(span([100, 1100], 1e-9, 1), Some(1000.0 * 1e-9));
        assert_eq!(span([7, 7], 1e-9, 1), None, "zero");
        assert_eq!(span([8, 7], 1e-9, 1), None, "reversed");
        assert_eq!(span([0, 1000], 1e-9, 1), None, "the first is not set");
        assert_eq!(span([1, 1000], 1e-9, 1000), None, "less than a nanosecond each");
        assert_eq!(span([1, 2], 1.0, 1), Some(1.0));
    }
}

//! Work given to a device: one encoder, one compute pass and one submit; a long run has one of each per part.

use std::sync::{Arc, Weak};

use futures_intrusive::sync::SharedSemaphoreReleaser;

use super::adapter::Gpu;
use super::memory::Pooled;
use super::program::Program;
use super::tensor_buffer::TensorBuffer;
use crate::error::Result;
use crate::threads::Beside;

/// One step of work, with its buffers.
#[derive(Clone)]
pub(super) enum Step {
    Upload { slot: usize, buffer: Arc<wgpu::Buffer>, offset: u64, bytes: u64 },
    Dispatch { pipeline: wgpu::ComputePipeline, bind_group: wgpu::BindGroup, workgroups: [u32; 3] },
    Submit,
    Download { slot: usize, buffer: Arc<wgpu::Buffer>, offset: u64, bytes: u64 },
}

/// The bytes of an upload: from the host, or already on the device.
#[derive(Debug)]
pub enum Source<'a> {
    /// Host bytes, as long as the range or shorter.
    Host(&'a [u8]),
    /// A device tensor.
    Device(&'a TensorBuffer),
}

/// Where a download goes.
#[derive(Clone)]
pub(super) enum Sink {
    Staging(Arc<Pooled>, u64),
    Tensor(TensorBuffer),
}

impl Sink {
    fn place(&self) -> (&wgpu::Buffer, u64) {
        match self {
            Sink::Staging(staging, offset) => (staging.buffer(), *offset),
            Sink::Tensor(tensor) => tensor.place(),
        }
    }
}

impl Step {
    /// Puts a dispatch into a pass; other steps are left out.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let Step::Dispatch { pipeline, bind_group, workgroups: [x, y, z] } = self else { return };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        pass.dispatch_workgroups(*x, *y, *z);
    }

    fn upload(&self, sources: &[Source<'_>], gpu: &Gpu, encoder: &mut wgpu::CommandEncoder) {
        let Step::Upload { slot, buffer, offset, bytes } = self else { return };
        match &sources[*slot] {
            Source::Host(host) => gpu.queue().write_buffer(buffer, *offset, host),
            Source::Device(tensor) => {
                let (from, at) = tensor.place();
                encoder.copy_buffer_to_buffer(from, at, buffer, *offset, *bytes);
            }
        }
    }

    fn download(&self, sinks: &[Sink], encoder: &mut wgpu::CommandEncoder) {
        let Step::Download { slot, buffer, offset, bytes } = self else { return };
        let (to, at) = sinks[*slot].place();
        encoder.copy_buffer_to_buffer(buffer, *offset, to, at, *bytes);
    }
}

/// Encodes and submits the steps of one part.
fn submit_part(gpu: &Gpu, steps: &[Step], sources: &[Source<'_>], sinks: &[Sink]) -> wgpu::SubmissionIndex {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    steps.iter().for_each(|step| step.upload(sources, gpu, &mut encoder));
    let mut pass = encoder.begin_compute_pass(&Default::default());
    steps.iter().for_each(|step| step.encode(&mut pass));
    drop(pass);
    steps.iter().for_each(|step| step.download(sinks, &mut encoder));
    gpu.queue().submit([encoder.finish()])
}

/// Work that a device was given.
#[derive(Debug)]
pub(super) enum Submitted {
    /// All of it.
    Whole(wgpu::SubmissionIndex),
    /// The first part; a thread submits the others as long as somebody holds this.
    Parts { last: Beside<Result<wgpu::SubmissionIndex>>, awaited: Arc<()> },
}

impl Submitted {
    /// The last submission.
    ///
    /// # Errors
    /// The device is lost, or refuses a part.
    pub async fn last(self, gpu: &Gpu) -> Result<wgpu::SubmissionIndex> {
        match self {
            Submitted::Whole(index) => Ok(index),
            Submitted::Parts { last, awaited } => {
                let last = gpu.meanwhile(last.result()).await;
                drop(awaited);
                last
            }
        }
    }
}

impl Program {
    /// Encodes and submits the first part at least; the results come to `sinks`, one per download. Runs that share the
    /// program's memory do not interleave: each has its turn from the first part to the last.
    ///
    /// A turn never waits for a future that nobody may poll: it ends here, or on the thread that submits the other parts.
    pub(super) async fn submit(&self, steps: &[Step], sources: &[Source<'_>], sinks: &[Sink]) -> Result<Submitted> {
        let gpu = &self.gpu;
        gpu.alive().await?;
        let turn = gpu.meanwhile(self.order.acquire(1)).await;
        let mut parts = steps.split(|step| matches!(step, Step::Submit));
        let first = parts.next().expect("there is a part at least");
        let submitted = gpu.guarded(|| submit_part(gpu, first, sources, sinks));
        let rest: Vec<Vec<Step>> = parts.map(<[Step]>::to_vec).collect();
        if rest.is_empty() {
            drop(turn);
            return Ok(Submitted::Whole(submitted.await?));
        }
        let first = submitted.await?;
        let awaited = Arc::new(());
        let rest = Rest {
            gpu: gpu.clone(),
            parts: rest,
            sinks: sinks.to_vec(),
            awaited: Arc::downgrade(&awaited),
            _turn: turn,
        };
        Ok(Submitted::Parts { last: gpu.thread(rest.submit(first))?, awaited })
    }
}

/// The parts of a run after the first one.
struct Rest {
    gpu: Gpu,
    parts: Vec<Vec<Step>>,
    sinks: Vec<Sink>,
    /// Gone with the future that awaits the run.
    awaited: Weak<()>,
    _turn: SharedSemaphoreReleaser,
}

impl Rest {
    /// Submits the parts, two at a time, until nobody awaits the run any more. Gives the last submission.
    async fn submit(self, first: wgpu::SubmissionIndex) -> Result<wgpu::SubmissionIndex> {
        let mut last = first;
        for part in &self.parts {
            if self.awaited.strong_count() == 0 {
                break;
            }
            let next = self.gpu.guarded(|| submit_part(&self.gpu, part, &[], &self.sinks)).await?;
            self.gpu.finished(&last).await?;
            last = next;
        }
        Ok(last)
    }
}

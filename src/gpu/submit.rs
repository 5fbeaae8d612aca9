//! Work given to a device: one encoder, one compute pass and one submit; a long run has one of each per part.

use std::borrow::Cow;
use std::sync::{Arc, Weak};

use super::adapter::Gpu;
use super::direct::{Part, Raw};
use super::pacing::{Pace, Watch};
use super::pool::Pooled;
use super::tensor_buffer::TensorBuffer;
use super::wait::{Counted, Submission};
use crate::error::Result;
use crate::sync::Turns;
use crate::threads::Beside;

/// One step of work, with its buffers.
#[derive(Clone)]
pub(super) enum Step {
    Upload { slot: usize, buffer: Arc<wgpu::Buffer>, offset: u64, bytes: u64 },
    Dispatch { pipeline: wgpu::ComputePipeline, bind_groups: Vec<wgpu::BindGroup>, workgroups: [u32; 3] },
    Submit,
    Download { slot: usize, buffer: Arc<wgpu::Buffer>, offset: u64, bytes: u64 },
}

/// The bytes of an upload: from the host, or already on the device.
#[derive(Debug)]
pub enum Source<'a> {
    /// Host bytes, as long as the range or shorter.
    Host(Cow<'a, [u8]>),
    /// A device tensor.
    Device(&'a TensorBuffer),
    /// Bytes that were uploaded for this run.
    Uploaded(TensorBuffer),
    /// Made on the device.
    Raw(Raw),
}

impl Source<'_> {
    /// The tensor of the device that is read, if any.
    fn tensor(&self) -> Option<TensorBuffer> {
        match self {
            Source::Host(_) => None,
            Source::Device(tensor) => Some((*tensor).clone()),
            Source::Uploaded(tensor) => Some(tensor.clone()),
            Source::Raw(raw) => Some(raw.tensor().clone()),
        }
    }
}

fn copy(encoder: &mut wgpu::CommandEncoder, from: &TensorBuffer, to: &wgpu::Buffer, offset: u64, bytes: u64) {
    let (buffer, at) = from.place();
    encoder.copy_buffer_to_buffer(buffer, at, to, offset, from.within(bytes));
}

/// Where a download goes.
#[derive(Clone)]
pub(super) enum Sink {
    Staging(Arc<Pooled>, u64),
    Tensor(TensorBuffer),
}

impl Sink {
    /// The buffer, where to begin in it, and how many of these bytes to write.
    fn place(&self, bytes: u64) -> (&wgpu::Buffer, u64, u64) {
        match self {
            Sink::Staging(staging, offset) => (staging.buffer(), *offset, bytes),
            Sink::Tensor(tensor) => (tensor.place().0, tensor.place().1, tensor.within(bytes)),
        }
    }
}

impl Step {
    /// Puts a dispatch into a pass; other steps are left out.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let Step::Dispatch { pipeline, bind_groups, workgroups: [x, y, z] } = self else { return };
        pass.set_pipeline(pipeline);
        for (k, group) in (0..).zip(bind_groups) {
            pass.set_bind_group(k, group, &[]);
        }
        pass.dispatch_workgroups(*x, *y, *z);
    }

    fn upload(&self, sources: &[Source<'_>], gpu: &Gpu, encoder: &mut wgpu::CommandEncoder) {
        let Step::Upload { slot, buffer, offset, bytes } = self else { return };
        match &sources[*slot] {
            Source::Host(host) => gpu.queue().write_buffer(buffer, *offset, host),
            Source::Device(tensor) => copy(encoder, tensor, buffer, *offset, *bytes),
            Source::Uploaded(tensor) => copy(encoder, tensor, buffer, *offset, *bytes),
            Source::Raw(raw) => raw.encode(gpu, encoder, Part { buffer, offset: *offset, bytes: *bytes }),
        }
    }

    fn download(&self, sinks: &[Sink], encoder: &mut wgpu::CommandEncoder) {
        let Step::Download { slot, buffer, offset, bytes } = self else { return };
        let (to, at, bytes) = sinks[*slot].place(*bytes);
        encoder.copy_buffer_to_buffer(buffer, *offset, to, at, bytes);
    }
}

/// Encodes the steps of one part.
pub(super) fn encode(
    gpu: &Gpu,
    steps: &[Step],
    sources: &[Source<'_>],
    sinks: &[Sink],
    encoder: &mut wgpu::CommandEncoder,
) {
    steps.iter().for_each(|step| step.upload(sources, gpu, encoder));
    let mut pass = encoder.begin_compute_pass(&Default::default());
    steps.iter().for_each(|step| step.encode(&mut pass));
    drop(pass);
    steps.iter().for_each(|step| step.download(sinks, encoder));
}

/// The commands of one part.
fn commands(gpu: &Gpu, steps: &[Step], sources: &[Source<'_>], sinks: &[Sink]) -> wgpu::CommandBuffer {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    encode(gpu, steps, sources, sinks, &mut encoder);
    encoder.finish()
}

/// Work that a device was given.
#[derive(Debug)]
pub(super) enum Submitted {
    /// All of it.
    Whole(Submission),
    /// A thread submits it, the parts after the first one as long as somebody holds this.
    Parts { last: Beside<Result<Submission>>, awaited: Arc<()> },
}

impl Submitted {
    /// The last submission.
    ///
    /// # Errors
    /// The device is lost, or refuses a part.
    pub async fn last(self, gpu: &Gpu) -> Result<Submission> {
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

/// Encodes and submits; the results come to `sinks`, one per download. Runs that share the memory of a program do not
/// interleave: each has its turn from the uploads to the last submission. `pace` says how much of a run goes into a part.
///
/// A driver may hold up a submission until the one before it is done. So a thread submits where the caller must not wait and
/// another run is in flight ([`Gpu::submits_beside`]), and it submits the parts of a run after the first one. A turn never
/// waits for a future that nobody may poll: it ends here, or on that thread.
pub(super) async fn submit(
    gpu: &Gpu,
    order: &Turns,
    pace: &Arc<Pace>,
    steps: &[Step],
    sources: &[Source<'_>],
    sinks: &[Sink],
) -> Result<Submitted> {
    gpu.alive().await?;
    let beside = gpu.submits_beside();
    let running = Counted::new(gpu.running());
    let turn = gpu.meanwhile(order.take()).await;
    let count = pace.part(0);
    let (first, rest) = steps.split_at(end(steps, count));
    if rest.is_empty() && !beside {
        let submitted = gpu.guarded(|| gpu.submit(Some(commands(gpu, first, sources, sinks)), running));
        drop(turn);
        return Ok(Submitted::Whole(submitted.await?));
    }
    let first = gpu.guarded(|| commands(gpu, first, sources, sinks)).await?;
    let awaited = Arc::new(());
    let rest = Rest {
        gpu: gpu.clone(),
        pace: pace.clone(),
        running,
        first,
        count,
        read: sources.iter().filter_map(Source::tensor).collect(),
        steps: rest.to_vec(),
        sinks: sinks.to_vec(),
        awaited: Arc::downgrade(&awaited),
    };
    let work = async move {
        let last = rest.submit().await;
        drop(turn);
        last
    };
    Ok(Submitted::Parts { last: gpu.thread(work)?, awaited })
}

/// Where the first `count` pieces of these steps end.
fn end(steps: &[Step], count: usize) -> usize {
    let ends = steps.iter().zip(1..).filter(|(step, _)| matches!(step, Step::Submit));
    ends.map(|(_, end)| end).nth(count - 1).unwrap_or(steps.len())
}

/// A run that a thread submits.
struct Rest {
    gpu: Gpu,
    pace: Arc<Pace>,
    running: Counted,
    first: wgpu::CommandBuffer,
    /// The pieces of the first part.
    count: usize,
    /// What the first part reads: its buffers must not return to the pool before that is submitted.
    read: Vec<TensorBuffer>,
    /// The steps after the first part.
    steps: Vec<Step>,
    sinks: Vec<Sink>,
    /// Gone with the future that awaits the run.
    awaited: Weak<()>,
}

impl Rest {
    /// Submits the parts, two at a time, until nobody awaits the run any more. Gives the last submission.
    async fn submit(self) -> Result<Submission> {
        let Rest { gpu, pace, running, first, count, read, steps, sinks, awaited } = self;
        if steps.is_empty() {
            return gpu.guarded(|| gpu.submit(Some(first), running)).await;
        }
        let mut last = InFlight::new(&pace, 0, count, gpu.guarded(|| gpu.submit(Some(first), ())).await?);
        drop(read);
        if pace.is_unknown() {
            last.wait(&gpu).await?;
        }
        let (mut running, mut rest, mut piece) = (Some(running), &steps[..], count);
        while !rest.is_empty() && awaited.strong_count() > 0 {
            let count = pace.part(piece);
            let (part, after) = rest.split_at(end(rest, count));
            let then = running.take_if(|_| after.is_empty());
            let next = gpu.guarded(|| gpu.submit(Some(commands(&gpu, part, &[], &sinks)), then)).await?;
            last = last.until(&gpu, InFlight::new(&pace, piece, count, next)).await?;
            (rest, piece) = (after, piece + count);
        }
        Ok(last.submission)
    }
}

/// A part that was submitted.
struct InFlight<'a> {
    pace: &'a Pace,
    /// Its pieces.
    first: usize,
    count: usize,
    submission: Submission,
    /// Since it could begin.
    since: Watch,
    done: bool,
}

impl InFlight<'_> {
    fn new(pace: &Pace, first: usize, count: usize, submission: Submission) -> InFlight<'_> {
        InFlight { pace, first, count, submission, since: Watch::start(), done: false }
    }

    /// Waits for it, and notes what it took.
    async fn wait(&mut self, gpu: &Gpu) -> Result<()> {
        gpu.finished(&self.submission).await?;
        if let Some(seconds) = self.since.seconds().filter(|_| !self.done) {
            self.pace.learn(self.first, self.count, seconds);
        }
        self.done = true;
        Ok(())
    }

    /// Waits for it; `next`, which was submitted meanwhile, begins then.
    async fn until<'a>(mut self, gpu: &Gpu, next: InFlight<'a>) -> Result<InFlight<'a>> {
        let idle = self.done;
        self.wait(gpu).await?;
        Ok(if idle { next } else { InFlight { since: Watch::start(), ..next } })
    }
}

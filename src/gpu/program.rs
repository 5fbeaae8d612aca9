//! A recording made executable: buffers, pipelines, params and bind groups exist before the first run. A run is one
//! encoder, one compute pass and one submit; a long run has one of each per part.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::adapter::Gpu;
use super::kernel::FIRST_GROUP;
use super::pacing::Pace;
use super::pipeline_cache::{PipelineKey, Pipelines};
use super::pipelines::Progress;
use super::pool::Pooled;
use super::recording::{Command, Contents, Dispatch, Range, Recording};
use super::submit::{self, Sink, Source, Step, Submitted};
use super::tensor_buffer::TensorBuffer;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::sync::Turns;

/// Uniform bindings start at multiples of this on every device.
const UNIFORM_ALIGNMENT: usize = 256;

/// Bytes of constants that are uploaded before the dispatches that read them are submitted.
const PART: u64 = 64 << 20;

/// Bytes of an upload that the host waits for.
const PIECE: usize = 16 << 20;

/// A recording bound to a device.
pub struct Program {
    pub(super) gpu: Gpu,
    /// Absent where only `prepare` reads it.
    buffers: Vec<Option<Arc<wgpu::Buffer>>>,
    pub(super) run: Vec<Step>,
    pub(super) downloads: Vec<Range>,
    guards: Vec<Range>,
    /// The number of arenas, which are the first buffers.
    arenas: usize,
    pipelines: usize,
    pace: Arc<Pace>,
    /// Taken from the uploads to the last submit, so that runs do not interleave.
    order: Turns,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({} steps, {} pipelines, on {:?})", self.run.len(), self.pipelines, self.gpu)
    }
}

/// A run whose results are on their way to the host.
pub struct Running {
    staging: Arc<Pooled>,
    /// Where each result lies in the staging buffer.
    parts: Vec<std::ops::Range<usize>>,
    submitted: Submitted,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Running({} results)", self.parts.len())
    }
}

impl Program {
    /// Compiles the missing pipelines, uploads the constants, and runs `prepare`. A constant that the device has already, by its
    /// identity, is shared; of the resident tensors the program holds the buffers and not the places in the pool.
    pub async fn new(
        gpu: &Gpu,
        recording: &mut Recording,
        identities: &[Option<Identity>],
        resident: &[TensorBuffer],
        progress: Option<&Progress>,
    ) -> Result<Program> {
        gpu.alive().await?;
        #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
        gpu.plant_if_hooked(recording);
        let transient: HashSet<usize> = recording.transient.iter().copied().collect();
        // A buffer with a gap is larger than what others have of the same contents.
        let with_gap: HashSet<usize> = recording.guards.iter().map(|gap| gap.buffer).collect();
        let shared = |i: usize| {
            let identity = identities.get(i).copied().flatten();
            identity.filter(|_| !transient.contains(&i) && !with_gap.contains(&i))
        };
        let find = |i: usize| shared(i).and_then(|identity| gpu.weights().find(identity));
        let mut buffers: Vec<_> = (0..recording.buffers.len()).map(find).collect();
        for (&i, tensor) in recording.resident.iter().zip(resident) {
            buffers[i] = Some(Arc::new(tensor.place().0.clone()));
        }
        let is_there = |d: &Dispatch| d.writes.iter().all(|to| buffers[to.buffer].is_some());
        let is_needed = |command: &&Command| command.as_dispatch().is_none_or(|d| !is_there(d));
        let prepare: Vec<&Command> = recording.prepare.iter().filter(is_needed).collect();
        let run: Vec<&Command> = recording.run.iter().collect();
        let dispatches = prepare.iter().chain(&run).filter_map(|command| command.as_dispatch());
        let pipelines = gpu.compile(&dispatches.collect::<Vec<_>>(), progress).await?;
        let made: Vec<usize> = (0..buffers.len()).filter(|i| buffers[*i].is_none() && !transient.contains(i)).collect();
        for &i in &made {
            buffers[i] = Some(Arc::new(gpu.storage_buffer_for(&recording.buffers[i]).await?));
        }
        let mut program = Program {
            gpu: gpu.clone(),
            buffers,
            run: vec![],
            downloads: recording.downloads(),
            guards: recording.guards.clone(),
            arenas: recording.arenas,
            pipelines: pipelines.len(),
            pace: Arc::new(Pace::new(recording.pieces.clone())),
            order: Turns::default(),
        };
        program.poison(program.buffers.len()).await?;
        let mut constants = std::mem::take(&mut recording.constants);
        constants.retain(|(range, _)| transient.contains(&range.buffer) || made.contains(&range.buffer));
        program.prepare(recording, &prepare, constants, &transient, &pipelines).await?;
        transient.iter().for_each(|&i| program.buffers[i] = None);
        program.run = program.steps(&run, &pipelines).await?;
        for i in made {
            if let (Some(identity), Some(buffer)) = (shared(i), &program.buffers[i]) {
                gpu.weights().share(identity, buffer);
            }
        }
        Ok(program)
    }

    /// Uploads the constants and runs `prepare`, a part after the other: a buffer that only `prepare` reads exists from the
    /// part that reads it first to the one that reads it last. What has been uploaded is dropped here.
    async fn prepare(
        &mut self,
        recording: &Recording,
        prepare: &[&Command],
        constants: Vec<(Range, Contents)>,
        transient: &HashSet<usize>,
        pipelines: &Pipelines,
    ) -> Result<()> {
        let mut unread: BTreeMap<usize, (Range, Contents)> =
            constants.into_iter().map(|constant| (constant.0.buffer, constant)).collect();
        let mut room = vec![];
        let reads = |command: &Command| -> Vec<usize> {
            command.as_dispatch().map_or(vec![], |d| d.all_reads().map(|r| r.buffer).collect())
        };
        let mut left: HashMap<usize, usize> = HashMap::new();
        prepare.iter().flat_map(|command| reads(command)).for_each(|buffer| *left.entry(buffer).or_default() += 1);
        let mut rest = prepare;
        while !rest.is_empty() {
            let (mut commands, mut bytes) = (0, 0);
            while commands < rest.len() && bytes < PART {
                for (range, contents) in reads(rest[commands]).iter().filter_map(|buffer| unread.remove(buffer)) {
                    self.fill(recording, &range, contents.bytes(&mut room)).await?;
                    bytes += range.bytes;
                }
                commands += 1;
            }
            let (part, after) = rest.split_at(commands);
            let steps = self.steps(part, pipelines).await?;
            let index = self.submit(&steps, &[], &[]).await?.last(&self.gpu).await?;
            for buffer in part.iter().flat_map(|command| reads(command)) {
                let left = left.get_mut(&buffer).expect("it is read");
                *left -= 1;
                if *left == 0 && transient.contains(&buffer) {
                    self.buffers[buffer] = None;
                }
            }
            if !after.is_empty() {
                self.gpu.finished(&index).await?;
            }
            rest = after;
        }
        for (range, contents) in unread.into_values().filter(|(range, _)| !transient.contains(&range.buffer)) {
            self.fill(recording, &range, contents.bytes(&mut room)).await?;
        }
        Ok(())
    }

    /// Uploads a constant, the bytes of a piece at a time so that the copies in between are few. Makes its buffer if there is
    /// none.
    async fn fill(&mut self, recording: &Recording, range: &Range, bytes: &[u8]) -> Result<()> {
        if self.buffers[range.buffer].is_none() {
            let made = self.gpu.storage_buffer_for(&recording.buffers[range.buffer]).await?;
            self.buffers[range.buffer] = Some(Arc::new(made));
        }
        let buffer = self.buffer(range);
        for (k, piece) in bytes.chunks(PIECE).enumerate() {
            let at = range.offset + (k * PIECE) as u64;
            self.gpu.guarded(|| self.gpu.queue().write_buffer(buffer, at, piece)).await?;
            if piece.len() == PIECE {
                let submission = self.gpu.submit(None, ());
                self.gpu.finished(&submission).await?;
            }
        }
        Ok(())
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Measured by estimated seconds of the last run's slowest part, if it was one in parts.
    pub fn rate(&self) -> Option<f64> {
        self.pace.rate()
    }
    /// The number of distinct pipelines that the recording uses.
    pub fn pipelines(&self) -> usize {
        self.pipelines
    }

    fn buffer(&self, range: &Range) -> &Arc<wgpu::Buffer> {
        self.buffers[range.buffer].as_ref().expect("a transient buffer is not used by `run`")
    }

    async fn steps(&self, commands: &[&Command], pipelines: &Pipelines) -> Result<Vec<Step>> {
        let dispatches: Vec<&Dispatch> = commands.iter().filter_map(|command| command.as_dispatch()).collect();
        let mut uniforms = Uniforms::default();
        let spans: Vec<_> = dispatches
            .iter()
            .map(|d| Spans {
                params: uniforms.add(&d.params.bytes()),
                epilogue: d.epilogue.as_ref().map(|e| uniforms.add(&e.params.bytes())),
                first_group: d.first_group.map(|first| uniforms.add(bytemuck::bytes_of(&[first, 0, 0, 0]))),
            })
            .collect();
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = self.gpu.buffer("params", uniforms.0.len().max(16) as u64, usage).await?;
        self.gpu.guarded(|| self.gpu.queue().write_buffer(&params, 0, &uniforms.0)).await?;
        let absent = self.gpu.absent().await?;
        let make = || {
            let mut next = dispatches.iter().zip(&spans);
            commands
                .iter()
                .map(|command| match command {
                    Command::Upload { slot, to } => {
                        let (buffer, offset, bytes) = (self.buffer(to).clone(), to.offset, to.bytes);
                        Step::Upload { slot: *slot, buffer, offset, bytes }
                    }
                    Command::Submit => Step::Submit,
                    Command::Download { slot, from } => {
                        let (buffer, offset, bytes) = (self.buffer(from).clone(), from.offset, from.bytes);
                        Step::Download { slot: *slot, buffer, offset, bytes }
                    }
                    Command::Dispatch(_) => {
                        let (d, spans) = next.next().expect("one span per dispatch");
                        let pipeline = pipelines[&PipelineKey::of(d)].clone();
                        let part = |r: &Range| part(self.buffer(r), r.offset, r.bytes);
                        let uniform = |(offset, bytes)| self::part(&params, offset, bytes);
                        let first_group = spans.first_group.map(|span| (FIRST_GROUP, uniform(span)));
                        let group = |k, span, tensors: &mut dyn Iterator<Item = _>| {
                            let resources = (0..).zip(std::iter::once(uniform(span)).chain(tensors));
                            let resources = resources.chain(first_group.clone().filter(|_| k == 0));
                            self.gpu.bind_group(&d.node, &pipeline.get_bind_group_layout(k), resources)
                        };
                        let tensors = &mut d.reads.iter().chain(&d.writes).map(part);
                        let mut bind_groups = vec![group(0, spans.params, tensors)];
                        if let (Some(e), Some(span)) = (&d.epilogue, spans.epilogue) {
                            let tensor =
                                |range: &Option<Range>| range.as_ref().map_or_else(|| absent.as_entire_binding(), part);
                            bind_groups.push(group(1, span, &mut e.tensors.iter().map(tensor)));
                        }
                        Step::Dispatch { pipeline, bind_groups, workgroups: d.workgroups }
                    }
                })
                .collect()
        };
        self.gpu.guarded(make).await
    }

    /// Submits steps in a turn of their own ([`submit::submit`]).
    pub(super) async fn submit(&self, steps: &[Step], sources: &[Source<'_>], sinks: &[Sink]) -> Result<Submitted> {
        submit::submit(&self.gpu, &self.order, &self.pace, steps, sources, sinks).await
    }

    /// Starts a run: uploads, dispatches, and copies of the results to the host.
    pub async fn start(&self, sources: &[Source<'_>]) -> Result<Running> {
        self.poison(self.arenas).await?;
        self.start_steps(&self.run, sources, &self.downloads).await
    }

    async fn start_steps(&self, steps: &[Step], sources: &[Source<'_>], ranges: &[Range]) -> Result<Running> {
        let (mut parts, mut total) = (vec![], 0);
        for range in ranges {
            parts.push(total as usize..(total + range.bytes) as usize);
            total += range.bytes;
        }
        let staging = Arc::new(self.gpu.staging_buffer(total).await?);
        let sinks: Vec<_> = parts.iter().map(|part| Sink::Staging(staging.clone(), part.start as u64)).collect();
        let submitted = self.submit(steps, sources, &sinks).await?;
        Ok(Running { staging, parts, submitted })
    }

    /// Waits for a run, and applies `take` to the position and the bytes of every result.
    pub async fn finish<T>(&self, run: Running, take: impl Fn(usize, &[u8]) -> T) -> Result<Vec<T>> {
        let found = self.finish_steps(run, take).await?;
        self.check_guards().await?;
        Ok(found)
    }

    async fn finish_steps<T>(&self, run: Running, take: impl Fn(usize, &[u8]) -> T) -> Result<Vec<T>> {
        let Running { staging, parts, submitted } = run;
        let last = submitted.last(&self.gpu).await?;
        let total = parts.last().map_or(0, |part| part.end as u64);
        let take =
            |bytes: &[u8]| parts.iter().enumerate().map(|(slot, part)| take(slot, &bytes[part.clone()])).collect();
        self.gpu.read(staging, total, &last, take).await
    }

    /// Submits `steps` and reads `ranges` when they are done, in one copy to the host.
    pub(super) async fn read_after<T>(
        &self,
        steps: &[Step],
        ranges: &[Range],
        take: impl Fn(usize, &[u8]) -> T,
    ) -> Result<Vec<T>> {
        let run = self.start_steps(steps, &[], ranges).await?;
        self.finish_steps(run, take).await
    }

    /// The bytes of each result of a run.
    pub fn result_bytes(&self) -> impl ExactSizeIterator<Item = u64> {
        self.downloads.iter().map(|range| range.bytes)
    }

    /// A new tensor on the device for a result.
    pub async fn output(&self, bytes: u64) -> Result<TensorBuffer> {
        Ok(TensorBuffer::from(self.gpu.tensor_buffer(bytes).await?))
    }

    /// One run that leaves its results in these tensors of the device.
    pub async fn run_device(&self, sources: &[Source<'_>], outputs: &[TensorBuffer]) -> Result<()> {
        let sinks: Vec<_> = outputs.iter().cloned().map(Sink::Tensor).collect();
        self.poison(self.arenas).await?;
        self.submit(&self.run, sources, &sinks).await?.last(&self.gpu).await?;
        self.check_guards().await
    }

    /// Encodes a run into an encoder of the program's, which sets `done` when the commands are done. Until then no buffer that
    /// they use is given to another tensor.
    ///
    /// # Errors
    /// The run is one in parts.
    pub async fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        inputs: &[TensorBuffer],
        outputs: &[TensorBuffer],
        done: Arc<AtomicBool>,
    ) -> Result<()> {
        self.gpu.check_shared()?;
        let parts = self.pace.parts();
        if parts > 1 {
            let text = "an encoder cannot be split: raise CompileOptions::submit_limit, or run the network";
            return Err(Error::argument(format!("a run is submitted in {parts} parts, {text}")));
        }
        self.gpu.alive().await?;
        let sources: Vec<_> = inputs.iter().map(Source::Device).collect();
        let sinks: Vec<_> = outputs.iter().cloned().map(Sink::Tensor).collect();
        submit::encode(&self.gpu, &self.run, &sources, &sinks, encoder);
        let used = Arc::new(());
        inputs.iter().chain(outputs).for_each(|tensor| tensor.reserve(&used));
        encoder.on_submitted_work_done(move || {
            done.store(true, Ordering::Release);
            drop(used);
        });
        Ok(())
    }

    /// In a guarded program: fills buffers with NaNs, of the first `count` those that have gaps.
    async fn poison(&self, count: usize) -> Result<()> {
        let with_gaps = self.guards.iter().map(|g| g.buffer).filter(|i| *i < count).collect::<BTreeSet<_>>();
        let fill = || {
            for (i, buffer) in with_gaps.into_iter().filter_map(|i| Some((i, self.buffers[i].as_ref()?))) {
                let words: Vec<u32> = (0..buffer.size() / 4).map(|word| poison(i, word)).collect();
                self.gpu.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&words));
            }
        };
        self.gpu.guarded(fill).await
    }

    /// In a guarded program: an error if a kernel wrote beyond the end of a tensor.
    async fn check_guards(&self) -> Result<()> {
        if self.guards.is_empty() {
            return Ok(());
        }
        let download = |(slot, range): (usize, &Range)| {
            let (buffer, offset, bytes) = (self.buffer(range).clone(), range.offset, range.bytes);
            Step::Download { slot, buffer, offset, bytes }
        };
        let steps: Vec<_> = self.guards.iter().enumerate().map(download).collect();
        let intact = |slot: usize, bytes: &[u8]| {
            let Range { buffer, offset, .. } = self.guards[slot];
            (offset / 4..).zip(bytes.chunks_exact(4)).all(|(word, found)| found == poison(buffer, word).to_le_bytes())
        };
        let found = self.read_after(&steps, &self.guards, intact).await?;
        match found.iter().position(|intact| !intact) {
            Some(i) => {
                Err(Error::new(ErrorKind::Check, format!("a kernel wrote past a tensor, into {}", self.guards[i])))
            }
            None => Ok(()),
        }
    }
}

/// The params of many dispatches, each at a place where it can be bound.
#[derive(Default)]
struct Uniforms(Vec<u8>);

impl Uniforms {
    /// Adds params; gives their offset and how many bytes they are.
    fn add(&mut self, bytes: &[u8]) -> (u64, u64) {
        let offset = self.0.len() as u64;
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(UNIFORM_ALIGNMENT), 0);
        (offset, bytes.len() as u64)
    }
}

/// Where the params of a dispatch are.
struct Spans {
    params: (u64, u64),
    epilogue: Option<(u64, u64)>,
    first_group: Option<(u64, u64)>,
}

/// Part of a buffer as a binding.
fn part(buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> wgpu::BindingResource<'_> {
    let size = std::num::NonZeroU64::new(bytes);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
}

/// What [`poison`] makes other payloads of: a NaN as f32 and as two f16.
pub const POISON: u32 = 0x7fc0_7e00;

/// What a guarded program fills a word of a buffer with: a NaN as f32 and as two f16, with a payload that no computation
/// produces. Another word has another one, so that a kernel is seen which reads behind one tensor and writes that behind another.
pub fn poison(buffer: usize, word: u64) -> u32 {
    let payload = (word as u32).wrapping_add((buffer as u32).wrapping_mul(40_503)).wrapping_mul(0x9e37_79b1) >> 17;
    POISON | (payload >> 9) << 16 | (payload & 0x1ff)
}

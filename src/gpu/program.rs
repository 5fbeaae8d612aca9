//! A recording made executable: buffers, pipelines, params and bind groups exist before the first run. A run is one
//! encoder, one compute pass and one submit; a long run has one of each per part.

#[cfg(not(target_arch = "wasm32"))]
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[cfg(not(target_arch = "wasm32"))]
use rayon::prelude::*;

use super::adapter::Gpu;
use super::memory::Pooled;
use super::recording::{Command, Contents, Dispatch, Range, Recording};
#[cfg(not(target_arch = "wasm32"))]
use super::specialise::specialise;
use crate::error::{Error, ErrorKind, Result};
use crate::shape::Precision;

/// Uniform bindings start at multiples of this on every device.
const UNIFORM_ALIGNMENT: usize = 256;

/// Bytes of constants that are uploaded before the dispatches that read them are submitted.
const PART: u64 = 64 << 20;

/// Bytes of an upload that the host waits for.
const PIECE: usize = 16 << 20;

/// The key of a pipeline: dispatches with equal keys share it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PipelineKey {
    source: &'static str,
    /// The texts of the shared files.
    pieces: Vec<&'static str>,
    overrides: Vec<(&'static str, u64)>,
    consts: Vec<(&'static str, u32)>,
    precision: Precision,
    sums: bool,
    /// Whether the shader keeps its run-time checks.
    checked: bool,
    /// The numbers of read-only and read-write bindings, which determine the layout.
    bindings: (usize, usize),
}

impl PipelineKey {
    fn of(d: &Dispatch) -> PipelineKey {
        PipelineKey {
            source: d.kernel.source,
            pieces: d.kernel.common.iter().map(|piece| piece.source).collect(),
            overrides: d.overrides.iter().map(|&(name, value)| (name, value.to_bits())).collect(),
            consts: d.consts.clone(),
            precision: d.precision,
            sums: d.sums,
            checked: d.checked,
            bindings: d.bindings(),
        }
    }
}

/// The pipelines of a device; each is compiled once.
#[derive(Default)]
pub(crate) struct PipelineCache(Mutex<HashMap<PipelineKey, wgpu::ComputePipeline>>);

/// Called with the number of compiled pipelines and their total after each compilation, from any thread, in any order.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(usize, usize) + Send + Sync>);

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// A recording bound to a device.
pub struct Program {
    pub(super) gpu: Gpu,
    buffers: Vec<Option<wgpu::Buffer>>,
    pub(super) run: Vec<Step>,
    pub(super) downloads: Vec<Range>,
    guards: Vec<Range>,
    pipelines: usize,
    /// Held from the uploads to the last submit, so that runs of several threads do not interleave.
    order: futures_intrusive::sync::Mutex<()>,
}

#[derive(Clone)]
pub(super) enum Step {
    Upload { slot: usize, to: Range },
    Dispatch { pipeline: wgpu::ComputePipeline, bind_group: wgpu::BindGroup, workgroups: [u32; 3] },
    Submit,
    Download { slot: usize, from: Range },
}

impl Step {
    /// Puts a dispatch into a pass; other commands must not be given.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let Step::Dispatch { pipeline, bind_group, workgroups: [x, y, z] } = self else { return };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        pass.dispatch_workgroups(*x, *y, *z);
    }
}

/// The bytes of an upload: from the host, or already on the device.
pub enum Source<'a> {
    /// Host bytes, as long as the range or shorter.
    Host(&'a [u8]),
    /// A device tensor.
    Device(&'a TensorBuffer),
}

/// A tensor's own buffer on the device.
#[derive(Clone)]
pub struct TensorBuffer(Arc<Pooled>);

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Host(bytes) => write!(f, "Host({} bytes)", bytes.len()),
            Source::Device(buffer) => buffer.fmt(f),
        }
    }
}

impl std::fmt::Debug for TensorBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TensorBuffer({} bytes)", self.0.buffer().size())
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({} steps, {} pipelines, on {:?})", self.run.len(), self.pipelines, self.gpu)
    }
}

impl Program {
    /// Compiles the missing pipelines, uploads the constants, and runs `prepare`.
    pub async fn new(gpu: &Gpu, recording: &mut Recording, progress: Option<&Progress>) -> Result<Program> {
        gpu.alive().await?;
        let all: Vec<&Dispatch> =
            recording.prepare.iter().chain(&recording.run).filter_map(Command::as_dispatch).collect();
        let pipelines = gpu.compile(&all, progress).await?;
        let mut buffers = Vec::with_capacity(recording.buffers.len());
        let transient: HashSet<usize> = recording.transient.iter().copied().collect();
        for (i, spec) in recording.buffers.iter().enumerate() {
            let later = transient.contains(&i);
            buffers.push(if later { None } else { Some(gpu.storage_buffer(&spec.label, spec.bytes).await?) });
        }
        let mut program = Program {
            gpu: gpu.clone(),
            buffers,
            run: vec![],
            downloads: recording.downloads(),
            guards: recording.guards.clone(),
            pipelines: pipelines.len(),
            order: futures_intrusive::sync::Mutex::new((), true),
        };
        program.poison().await?;
        let constants = std::mem::take(&mut recording.constants);
        program.prepare(recording, constants, &transient, &pipelines).await?;
        program.run = program.steps(&recording.run, &pipelines).await?;
        Ok(program)
    }

    /// Uploads the constants and runs `prepare`, a part after the other: a buffer that only `prepare` reads exists from the
    /// part that reads it first to the one that reads it last. What has been uploaded is dropped here.
    async fn prepare(
        &mut self,
        recording: &Recording,
        constants: Vec<(Range, Contents)>,
        transient: &HashSet<usize>,
        pipelines: &HashMap<PipelineKey, wgpu::ComputePipeline>,
    ) -> Result<()> {
        let mut unread: BTreeMap<usize, (Range, Contents)> =
            constants.into_iter().map(|constant| (constant.0.buffer, constant)).collect();
        let mut room = vec![];
        let reads = |command: &Command| -> Vec<usize> {
            command.as_dispatch().map_or(vec![], |d| d.reads.iter().map(|r| r.buffer).collect())
        };
        let mut left: HashMap<usize, usize> = HashMap::new();
        recording.prepare.iter().flat_map(reads).for_each(|buffer| *left.entry(buffer).or_default() += 1);
        let mut rest = &recording.prepare[..];
        while !rest.is_empty() {
            let (mut commands, mut bytes) = (0, 0);
            while commands < rest.len() && bytes < PART {
                for (range, contents) in reads(&rest[commands]).iter().filter_map(|buffer| unread.remove(buffer)) {
                    self.fill(recording, &range, contents.bytes(&mut room)).await?;
                    bytes += range.bytes;
                }
                commands += 1;
            }
            let (part, after) = rest.split_at(commands);
            let steps = self.steps(part, pipelines).await?;
            let index = self.submit(&steps, &[], &[]).await?;
            for buffer in part.iter().flat_map(reads) {
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
        let spec = &recording.buffers[range.buffer];
        if self.buffers[range.buffer].is_none() {
            self.buffers[range.buffer] = Some(self.gpu.storage_buffer(&spec.label, spec.bytes).await?);
        }
        let buffer = self.buffer(range);
        for (k, piece) in bytes.chunks(PIECE).enumerate() {
            let at = range.offset + (k * PIECE) as u64;
            self.gpu.guarded(|| self.gpu.queue().write_buffer(buffer, at, piece)).await?;
            if piece.len() == PIECE {
                let index = self.gpu.queue().submit([]);
                self.gpu.finished(&index).await?;
            }
        }
        Ok(())
    }

    /// The number of distinct pipelines that the recording uses.
    pub fn pipelines(&self) -> usize {
        self.pipelines
    }

    fn buffer(&self, range: &Range) -> &wgpu::Buffer {
        self.buffers[range.buffer].as_ref().expect("a transient buffer is not used by `run`")
    }

    async fn steps(
        &self,
        commands: &[Command],
        pipelines: &HashMap<PipelineKey, wgpu::ComputePipeline>,
    ) -> Result<Vec<Step>> {
        let dispatches: Vec<&Dispatch> = commands.iter().filter_map(Command::as_dispatch).collect();
        let mut uniforms = vec![];
        let mut spans = vec![];
        for d in &dispatches {
            let bytes = d.params.bytes();
            spans.push((uniforms.len() as u64, bytes.len() as u64));
            uniforms.extend(bytes);
            uniforms.resize(uniforms.len().next_multiple_of(UNIFORM_ALIGNMENT), 0u8);
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = self.gpu.buffer("params", uniforms.len().max(16) as u64, usage).await?;
        self.gpu.guarded(|| self.gpu.queue().write_buffer(&params, 0, &uniforms)).await?;
        let make = || {
            let mut next = dispatches.iter().zip(&spans);
            commands
                .iter()
                .map(|command| match command {
                    Command::Upload { slot, to } => Step::Upload { slot: *slot, to: *to },
                    Command::Submit => Step::Submit,
                    Command::Download { slot, from } => Step::Download { slot: *slot, from: *from },
                    Command::Dispatch(_) => {
                        let (d, span) = next.next().expect("one span per dispatch");
                        let pipeline = pipelines[&PipelineKey::of(d)].clone();
                        let bind_group = self.bind_group(d, &pipeline, &params, *span);
                        Step::Dispatch { pipeline, bind_group, workgroups: d.workgroups }
                    }
                })
                .collect()
        };
        self.gpu.guarded(make).await
    }

    fn bind_group(
        &self,
        d: &Dispatch,
        pipeline: &wgpu::ComputePipeline,
        params: &wgpu::Buffer,
        (offset, bytes): (u64, u64),
    ) -> wgpu::BindGroup {
        let part = |buffer, offset, bytes: u64| {
            let size = std::num::NonZeroU64::new(bytes);
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
        };
        let storage = d.reads.iter().chain(&d.writes).map(|r| part(self.buffer(r), r.offset, r.bytes));
        let entries: Vec<_> = std::iter::once(part(params, offset, bytes))
            .chain(storage)
            .enumerate()
            .map(|(i, resource)| wgpu::BindGroupEntry { binding: i as u32, resource })
            .collect();
        self.gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&d.node),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// Encodes and submits; when this returns the results are on their way to `sinks`, one per download. Two parts of a run are
    /// submitted at a time, so that a run whose future is dropped stops at the next one.
    pub(super) async fn submit(
        &self,
        steps: &[Step],
        sources: &[Source<'_>],
        sinks: &[(&wgpu::Buffer, u64)],
    ) -> Result<wgpu::SubmissionIndex> {
        let gpu = &self.gpu;
        gpu.alive().await?;
        let _order = self.order.lock().await;
        let parts: Vec<&[Step]> = steps.split(|step| matches!(step, Step::Submit)).collect();
        let mut before: Option<wgpu::SubmissionIndex> = None;
        for (k, part) in parts.iter().enumerate() {
            let (first, last) = (k == 0, k + 1 == parts.len());
            let work = || {
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                if first {
                    self.upload(steps, sources, &mut encoder);
                }
                let mut pass = encoder.begin_compute_pass(&Default::default());
                part.iter().for_each(|step| step.encode(&mut pass));
                drop(pass);
                if last {
                    self.download(steps, sinks, &mut encoder);
                }
                gpu.queue().submit([encoder.finish()])
            };
            let index = gpu.guarded(work).await?;
            if let Some(before) = before.replace(index) {
                gpu.finished(&before).await?;
            }
        }
        Ok(before.expect("there is a part at least"))
    }

    fn upload(&self, steps: &[Step], sources: &[Source<'_>], encoder: &mut wgpu::CommandEncoder) {
        for step in steps {
            let Step::Upload { slot, to } = step else { continue };
            match &sources[*slot] {
                Source::Host(bytes) => self.gpu.queue().write_buffer(self.buffer(to), to.offset, bytes),
                Source::Device(b) => {
                    encoder.copy_buffer_to_buffer(b.0.buffer(), 0, self.buffer(to), to.offset, to.bytes);
                }
            }
        }
    }

    fn download(&self, steps: &[Step], sinks: &[(&wgpu::Buffer, u64)], encoder: &mut wgpu::CommandEncoder) {
        for step in steps {
            let Step::Download { slot, from } = step else { continue };
            let (buffer, offset) = sinks[*slot];
            encoder.copy_buffer_to_buffer(self.buffer(from), from.offset, buffer, offset, from.bytes);
        }
    }

    /// One run: uploads, dispatches, and `take` applied to the position and the bytes of every download.
    pub async fn run<T>(&self, sources: &[Source<'_>], take: impl Fn(usize, &[u8]) -> T) -> Result<Vec<T>> {
        self.poison().await?;
        let found = self.read_after(&self.run, sources, &self.downloads, take).await?;
        self.check_guards().await?;
        Ok(found)
    }

    /// Submits `steps` and reads `ranges` when they are done, in one copy to the host.
    pub(super) async fn read_after<T>(
        &self,
        steps: &[Step],
        sources: &[Source<'_>],
        ranges: &[Range],
        take: impl Fn(usize, &[u8]) -> T,
    ) -> Result<Vec<T>> {
        let mut offsets = vec![];
        let mut total = 0;
        for range in ranges {
            offsets.push(total);
            total += range.bytes;
        }
        let staging = self.gpu.staging_buffer(total).await?;
        let sinks: Vec<_> = offsets.iter().map(|&at| (staging.buffer(), at)).collect();
        let index = self.submit(steps, sources, &sinks).await?;
        let part = |slot: usize| offsets[slot] as usize..(offsets[slot] + ranges[slot].bytes) as usize;
        let parts = |bytes: &[u8]| (0..ranges.len()).map(|slot| take(slot, &bytes[part(slot)])).collect();
        self.gpu.read(staging, total, &index, parts).await
    }

    /// One run that leaves its results on the device.
    pub async fn run_device(&self, sources: &[Source<'_>]) -> Result<Vec<TensorBuffer>> {
        let mut outputs = vec![];
        for range in &self.downloads {
            outputs.push(TensorBuffer(Arc::new(self.gpu.tensor_buffer(range.bytes).await?)));
        }
        let sinks: Vec<_> = outputs.iter().map(|b| (b.0.buffer(), 0)).collect();
        self.poison().await?;
        self.submit(&self.run, sources, &sinks).await?;
        self.check_guards().await?;
        Ok(outputs)
    }

    /// In a guarded program: fills everything a run writes with NaNs.
    async fn poison(&self) -> Result<()> {
        let arenas = self.guards.iter().map(|g| g.buffer).collect::<BTreeSet<_>>();
        let fill = || {
            for buffer in arenas.into_iter().filter_map(|i| self.buffers[i].as_ref()) {
                let words = vec![POISON; buffer.size() as usize / 4];
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
        let steps: Vec<_> = self.guards.iter().enumerate().map(|(slot, &from)| Step::Download { slot, from }).collect();
        let intact = |_: usize, bytes: &[u8]| bytes.chunks_exact(4).all(|w| w == POISON.to_le_bytes());
        let found = self.read_after(&steps, &[], &self.guards, intact).await?;
        match found.iter().position(|intact| !intact) {
            Some(i) => {
                Err(Error::new(ErrorKind::Check, format!("a kernel wrote past a tensor, into {}", self.guards[i])))
            }
            None => Ok(()),
        }
    }
}

/// The value that a guarded program fills its arenas with: a NaN as f32 and as two f16, with a payload that no
/// computation produces.
pub const POISON: u32 = 0x7fff_7ead;

impl TensorBuffer {
    /// Uploads host bytes into a new buffer.
    pub async fn upload(gpu: &Gpu, bytes: &[u8]) -> Result<TensorBuffer> {
        gpu.alive().await?;
        let pooled = gpu.tensor_buffer(bytes.len() as u64).await?;
        gpu.guarded(|| gpu.queue().write_buffer(pooled.buffer(), 0, bytes)).await?;
        Ok(TensorBuffer(Arc::new(pooled)))
    }
    /// Applies `take` to the first `bytes` of the buffer.
    pub async fn download<T>(&self, gpu: &Gpu, bytes: u64, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
        gpu.alive().await?;
        let bytes = bytes.next_multiple_of(16);
        let staging = gpu.staging_buffer(bytes).await?;
        let copy = || {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(self.0.buffer(), 0, staging.buffer(), 0, bytes);
            gpu.queue().submit([encoder.finish()])
        };
        let index = gpu.guarded(copy).await?;
        gpu.read(staging, bytes, &index, take).await
    }
}

impl Gpu {
    /// The pipelines of these dispatches. Missing ones are compiled, in parallel where there are threads.
    async fn compile(
        &self,
        dispatches: &[&Dispatch],
        progress: Option<&Progress>,
    ) -> Result<HashMap<PipelineKey, wgpu::ComputePipeline>> {
        let mut wanted: HashMap<PipelineKey, wgpu::ComputePipeline> = HashMap::new();
        let mut missing: HashMap<PipelineKey, &Dispatch> = HashMap::new();
        {
            let cache = self.pipelines().0.lock().unwrap_or_else(|e| e.into_inner());
            for d in dispatches {
                let key = PipelineKey::of(d);
                match cache.get(&key) {
                    Some(pipeline) => drop(wanted.insert(key, pipeline.clone())),
                    None => drop(missing.insert(key, d)),
                }
            }
        }
        let missing: Vec<_> = missing.into_iter().collect();
        let (all, done) = (missing.len(), AtomicUsize::new(0));
        let compile = async |one| {
            let made = self.compile_one(one).await;
            if let Some(Progress(tell)) = progress {
                tell(done.fetch_add(1, Ordering::Relaxed) + 1, all);
            }
            made
        };
        #[cfg(not(target_arch = "wasm32"))]
        let made: Vec<_> = missing.into_par_iter().map(|m| pollster::block_on(compile(m))).collect();
        #[cfg(target_arch = "wasm32")]
        let made = futures_of(missing.into_iter().map(compile)).await;
        let mut cache = self.pipelines().0.lock().unwrap_or_else(|e| e.into_inner());
        for item in made {
            let (key, pipeline) = item?;
            cache.insert(key.clone(), pipeline.clone());
            wanted.insert(key, pipeline);
        }
        Ok(wanted)
    }

    async fn compile_one(&self, (key, d): (PipelineKey, &Dispatch)) -> Result<(PipelineKey, wgpu::ComputePipeline)> {
        let made = match shader(d) {
            Ok(shader) => self.guarded(|| self.pipeline(d, shader)).await,
            Err(e) => Err(e),
        };
        match made {
            Ok(pipeline) => Ok((key, pipeline)),
            Err(e) => Err(e.within(format_args!("kernel {}", d.kernel.name)).at(d.node.clone())),
        }
    }

    fn pipeline(&self, d: &Dispatch, Shader { source, overrides }: Shader<'_>) -> wgpu::ComputePipeline {
        let device = self.device();
        let source = wgpu::ShaderModuleDescriptor { label: Some(d.kernel.name), source };
        let checked = d.checked || checked_shaders();
        #[expect(unsafe_code, reason = "the one place where a shader runs without run-time checks")]
        let module = if checked {
            device.create_shader_module(source)
        } else {
            // SAFETY: the planner alone makes dispatches, and it leaves the checks out only where an operator of this
            // crate launches one of its kernels, on the shapes that its shape rule accepted. The contract and operator
            // tests run every kernel over shapes off its tile sizes with guarded buffers, and in checked mode, so no
            // index leaves its binding.
            unsafe { device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let buffer = |binding: usize, ty| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let (reads, writes) = (d.reads.len(), d.writes.len());
        let storage = |i| wgpu::BufferBindingType::Storage { read_only: i <= reads };
        let mut entries = vec![buffer(0, wgpu::BufferBindingType::Uniform)];
        entries.extend((1..=reads + writes).map(|i| buffer(i, storage(i))));
        let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(d.kernel.name),
            entries: &entries,
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(d.kernel.name),
            bind_group_layouts: &[Some(&group)],
            ..Default::default()
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(d.kernel.name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: overrides,
                // By contract a kernel writes workgroup memory before it reads it.
                zero_initialize_workgroup_memory: d.checked,
            },
            cache: None,
        })
    }
}

/// The source of a pipeline: the kernel's text, and the overrides that the device sets.
struct Shader<'a> {
    source: wgpu::ShaderSource<'static>,
    overrides: &'a [(&'static str, f64)],
}

#[cfg(not(target_arch = "wasm32"))]
fn shader(d: &Dispatch) -> Result<Shader<'_>> {
    let module = specialise(&d.wgsl(), &d.overrides)?;
    Ok(Shader { source: wgpu::ShaderSource::Naga(Cow::Owned(module)), overrides: &[] })
}

/// Browsers compile the text themselves.
#[cfg(target_arch = "wasm32")]
fn shader(d: &Dispatch) -> Result<Shader<'_>> {
    Ok(Shader { source: wgpu::ShaderSource::Wgsl(d.wgsl().into()), overrides: &d.overrides })
}

/// `CONVGPU_CHECKED=1` keeps the translator's bounds checks in every shader: it tells an index out of range from a driver bug.
fn checked_shaders() -> bool {
    std::env::var("CONVGPU_CHECKED").is_ok_and(|v| v == "1")
}

#[cfg(target_arch = "wasm32")]
async fn futures_of<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut out = vec![];
    for future in futures {
        out.push(future.await);
    }
    out
}

//! Launches without a plan: one input and one output, in an encoder with other work. The kernels keep the run-time checks of the
//! shader translator, since no planner placed their buffers.

use std::fmt;

use wgpu::BufferUsages;

use super::adapter::Gpu;
use super::launch::{Arg, Launch};
use super::pipeline_cache::PipelineKey;
use super::recording::{Dispatch, Range};
use super::tensor_buffer::TensorBuffer;
use crate::error::{Error, ErrorKind, Result};

/// A launch with one input and one output, ready to be bound to them.
pub(super) struct Ready {
    pipeline: wgpu::ComputePipeline,
    workgroups: [u32; 3],
    /// The params, and the tables.
    constants: Vec<wgpu::Buffer>,
}

impl Ready {
    pub fn encode(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, from: Part<'_>, to: Part<'_>) {
        dispatch(gpu, encoder, &self.pipeline, self.resources(from, to), self.workgroups);
    }

    /// The launch bound to its input and its output: pipeline, bind group and grid.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn bound(&self, gpu: &Gpu, from: Part<'_>, to: Part<'_>) -> (wgpu::ComputePipeline, wgpu::BindGroup, [u32; 3]) {
        let layout = self.pipeline.get_bind_group_layout(0);
        let group = gpu.bind_group("direct", &layout, (0..).zip(self.resources(from, to)));
        (self.pipeline.clone(), group, self.workgroups)
    }

    fn resources<'a>(&'a self, from: Part<'a>, to: Part<'a>) -> impl Iterator<Item = wgpu::BindingResource<'a>> {
        let (params, tables) = self.constants.split_first().expect("the params come first");
        let constant = wgpu::Buffer::as_entire_binding;
        [constant(params), from.binding()].into_iter().chain(tables.iter().map(constant)).chain([to.binding()])
    }
}

/// The elements of a tensor, which may be less than its buffer.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub buffer: &'a wgpu::Buffer,
    pub offset: u64,
    pub bytes: u64,
}

impl<'a> Part<'a> {
    pub fn of(tensor: &'a TensorBuffer, bytes: u64) -> Part<'a> {
        let (buffer, offset) = tensor.place();
        Part { buffer, offset, bytes }
    }

    pub fn binding(&self) -> wgpu::BindingResource<'a> {
        let size = std::num::NonZeroU64::new(self.bytes.next_multiple_of(16));
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: self.buffer, offset: self.offset, size })
    }

    /// Whether a kernel can read it where it is: a buffer of the program may have other usages, or begin and end anywhere.
    pub fn can_be_bound(&self) -> bool {
        let ends = self.offset + self.bytes.next_multiple_of(16) <= self.buffer.size();
        self.buffer.usage().contains(BufferUsages::STORAGE) && self.offset.is_multiple_of(256) && ends
    }
}

/// Adds a pass of one dispatch.
pub(super) fn dispatch<'a>(
    gpu: &Gpu,
    encoder: &mut wgpu::CommandEncoder,
    pipeline: &wgpu::ComputePipeline,
    resources: impl IntoIterator<Item = wgpu::BindingResource<'a>>,
    [x, y, z]: [u32; 3],
) {
    let group = gpu.bind_group("direct", &pipeline.get_bind_group_layout(0), (0..).zip(resources));
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(pipeline);
    pass.set_bind_group(0, &group, &[]);
    pass.dispatch_workgroups(x, y, z);
}

/// Bytes on the device, of which a launch makes the elements of a tensor.
pub struct Raw {
    tensor: TensorBuffer,
    bytes: u64,
    ready: Ready,
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({} bytes)", self.bytes)
    }
}

impl Raw {
    /// Uploads the bytes.
    ///
    /// # Errors
    /// The device lacks memory or is lost; it refuses the kernel.
    pub async fn upload(gpu: &Gpu, bytes: &[u8], launch: &Launch) -> Result<Raw> {
        gpu.alive().await?;
        let ready = gpu.ready(launch).await?;
        let tensor = gpu.room(bytes.len() as u64).await?;
        let (words, rest) = bytes.as_chunks::<4>();
        tensor.write(gpu, words.as_flattened()).await?;
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            let (buffer, offset) = tensor.place();
            gpu.guarded(|| gpu.queue().write_buffer(buffer, offset + 4 * words.len() as u64, &last)).await?;
        }
        Ok(Raw { tensor, bytes: bytes.len() as u64, ready })
    }

    /// The bytes.
    pub(super) fn tensor(&self) -> &TensorBuffer {
        &self.tensor
    }

    /// The elements, `bytes` bytes, as a new tensor.
    ///
    /// # Errors
    /// The device lacks memory or is lost.
    pub async fn make(&self, gpu: &Gpu, bytes: u64) -> Result<TensorBuffer> {
        gpu.alive().await?;
        let made = TensorBuffer::from(gpu.tensor_buffer(bytes).await?);
        let work = || {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            self.encode(gpu, &mut encoder, Part::of(&made, bytes));
            gpu.submit(Some(encoder.finish()), ());
        };
        gpu.guarded(work).await?;
        Ok(made)
    }

    /// Adds the pass that makes the elements.
    pub(super) fn encode(&self, gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, to: Part<'_>) {
        self.ready.encode(gpu, encoder, Part::of(&self.tensor, self.bytes), to);
    }
}

impl Gpu {
    /// A buffer that a kernel can take.
    pub(super) async fn room(&self, bytes: u64) -> Result<TensorBuffer> {
        let limit = self.caps().max_binding_bytes;
        if bytes > limit {
            let text = format!("a tensor takes {bytes} bytes, a kernel at most {limit} on this device");
            return Err(Error::new(ErrorKind::Memory, text));
        }
        Ok(TensorBuffer::from(self.tensor_buffer(bytes).await?))
    }

    /// A small buffer with these contents.
    pub(super) async fn constant(&self, usage: BufferUsages, contents: &[u8]) -> Result<wgpu::Buffer> {
        let made = self.buffer("direct", contents.len() as u64, usage | BufferUsages::COPY_DST).await?;
        self.guarded(|| self.queue().write_buffer(&made, 0, contents)).await?;
        Ok(made)
    }

    /// Compiles a launch, unless that was done before, and uploads its params and tables.
    pub(super) async fn ready(&self, launch: &Launch) -> Result<Ready> {
        launch.check()?;
        let dispatch = dispatch_of(launch);
        let pipelines = self.compile(&[&dispatch], None).await?;
        let pipeline = pipelines[&PipelineKey::of(&dispatch)].clone();
        let mut constants = vec![self.constant(BufferUsages::UNIFORM, &launch.params.bytes()).await?];
        for table in &launch.tables {
            constants.push(self.constant(BufferUsages::STORAGE, bytemuck::cast_slice(table)).await?);
        }
        Ok(Ready { pipeline, workgroups: launch.workgroups, constants })
    }
}

/// The launch as the cache of pipelines knows it. The ranges stand for their number.
fn dispatch_of(launch: &Launch) -> Dispatch {
    let ranges = |args: &[Arg]| vec![Range { buffer: 0, offset: 0, bytes: 0 }; args.len()];
    Dispatch::of(launch, "direct".to_owned(), ranges(&launch.reads), ranges(&launch.writes), true)
}

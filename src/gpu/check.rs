//! Whether a device computes at all, and in buffers of which size: there are drivers that accept work, report success and do
//! nothing.

use std::sync::Arc;

use super::adapter::Gpu;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// Multiplies and adds in place, in integers, at the end of the buffer: every device has the same result.
const TEXT: &str = "
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
    let at = arrayLength(&x) - 64u + i;
    x[at] = x[at] * 3u + i;
}";

/// The elements that it changes, one per invocation, and their bytes.
const COUNT: u32 = 64;
const BYTES: u64 = 4 * COUNT as u64;

/// As the buffers of tensors have it.
const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

impl Gpu {
    /// Runs a small dispatch whose result is known.
    ///
    /// # Errors
    /// The result is another one; the device refuses the work, or is lost.
    pub(crate) async fn computes(&self) -> Result<()> {
        self.computes_in(BYTES).await
    }

    /// The bytes of the largest binding in which the device computes: what its limits say, or less if its memory does not
    /// suffice.
    ///
    /// # Errors
    /// Those of [`Gpu::computes`], with the size.
    pub(crate) async fn usable_binding(&self) -> Result<u64> {
        let mut bytes = self.caps().max_binding_bytes.min(self.caps().max_buffer_bytes) / BYTES * BYTES;
        loop {
            match self.computes_in(bytes).await {
                Ok(()) => return Ok(bytes),
                Err(e) if e.kind() == ErrorKind::Memory && bytes > BYTES => bytes = (bytes / 2).next_multiple_of(BYTES),
                Err(e) => return Err(e.within(format_args!("in a binding of {bytes} bytes"))),
            }
        }
    }

    /// Runs that dispatch at the end of a binding of this many bytes, a multiple of [`BYTES`].
    async fn computes_in(&self, bytes: u64) -> Result<()> {
        self.alive().await?;
        if self.caps().software {
            memory::afford(bytes, || format!("a buffer of {bytes} bytes"))?;
        }
        let before: Vec<u32> = (0..COUNT).map(|i| 0x9E37_79B1u32.wrapping_mul(i + 1)).collect();
        let right: Vec<u32> = (0..COUNT).zip(&before).map(|(i, x)| x.wrapping_mul(3).wrapping_add(i)).collect();
        let buffer = self.buffer("check", bytes, USAGE).await?;
        self.guarded(|| self.queue().write_buffer(&buffer, bytes - BYTES, bytemuck::cast_slice(&before))).await?;
        let staging = Arc::new(self.staging_buffer(BYTES).await?);
        let work = || self.submit(Some(self.commands(&buffer, staging.buffer())), ());
        let submission = self.guarded(work).await?;
        let after = self.read(staging, BYTES, &submission, bytemuck::pod_collect_to_vec::<u8, u32>).await?;
        let problem = match after {
            after if after == right => return Ok(()),
            after if after == before => "accepts work and computes nothing",
            _ => "computes wrong integers",
        };
        Err(Error::new(ErrorKind::Device, format!("{}: the driver {problem}", self.info())))
    }

    fn commands(&self, buffer: &wgpu::Buffer, staging: &wgpu::Buffer) -> wgpu::CommandBuffer {
        let (device, label) = (self.device(), Some("check"));
        let source = wgpu::ShaderSource::Wgsl(TEXT.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let group = self.bind_group("check", &pipeline.get_bind_group_layout(0), [(0, buffer.as_entire_binding())]);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None });
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(buffer, buffer.size() - BYTES, staging, 0, BYTES);
        encoder.finish()
    }
}

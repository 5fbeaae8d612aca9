//! Buffers of a device, and the readback to the host.

use std::sync::{Arc, OnceLock};

use super::adapter::Gpu;
use super::fault::caused;
use super::pool::{Pooled, size_class};
use super::recording::BufferSpec;
use super::signal::Signal;
use super::wait::Submission;
use crate::error::{Error, ErrorKind, Result};

const TENSOR: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);
const STAGING: wgpu::BufferUsages = wgpu::BufferUsages::MAP_READ.union(wgpu::BufferUsages::COPY_DST);

/// A staging buffer that is being mapped. If nobody awaits it any more it does not return to the pool: it may be mapped later.
struct Mapping {
    staging: Arc<Pooled>,
    unmapped: bool,
}

impl Mapping {
    fn buffer(&self) -> &wgpu::Buffer {
        self.staging.buffer()
    }
    fn unmap(mut self) {
        self.buffer().unmap();
        self.unmapped = true;
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if !self.unmapped {
            self.staging.spend();
        }
    }
}

impl Gpu {
    async fn pooled(&self, usage: wgpu::BufferUsages, bytes: u64) -> Result<Pooled> {
        let bytes = match size_class(bytes) {
            class if class <= self.caps().max_buffer_bytes => class,
            _ => bytes.next_multiple_of(256),
        };
        let buffer = match self.pool().reuse(usage, bytes) {
            Some(buffer) => buffer,
            None => self.buffer("pool", bytes, usage).await?,
        };
        Ok(self.pool().lend(buffer))
    }

    /// A buffer for one tensor.
    pub(crate) async fn tensor_buffer(&self, bytes: u64) -> Result<Pooled> {
        self.pooled(TENSOR, bytes).await
    }

    /// A buffer that the host can read after a copy.
    pub(crate) async fn staging_buffer(&self, bytes: u64) -> Result<Pooled> {
        self.pooled(STAGING, bytes).await
    }

    /// A new buffer; an error if the device is out of memory.
    pub(crate) async fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let limit = self.caps().max_buffer_bytes;
        if bytes > limit {
            let text = format!("a buffer of {bytes} bytes exceeds the device's limit of {limit}");
            return Err(Error::new(ErrorKind::Memory, text));
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false };
        self.guarded(|| self.device().create_buffer(&descriptor)).await
    }

    /// What stands for a tensor that an epilogue does not have: 16 bytes that no kernel reads.
    pub(super) async fn absent(&self) -> Result<wgpu::Buffer> {
        if let Some(buffer) = self.absent_slot().get() {
            return Ok(buffer.clone());
        }
        let made = self.buffer("absent", 16, wgpu::BufferUsages::STORAGE).await?;
        Ok(self.absent_slot().get_or_init(|| made).clone())
    }

    /// Binds resources, each with its number.
    pub(super) fn bind_group<'a>(
        &self,
        label: &str,
        layout: &wgpu::BindGroupLayout,
        resources: impl IntoIterator<Item = (u32, wgpu::BindingResource<'a>)>,
    ) -> wgpu::BindGroup {
        let entry = |(binding, resource)| wgpu::BindGroupEntry { binding, resource };
        let entries: Vec<_> = resources.into_iter().map(entry).collect();
        let descriptor = wgpu::BindGroupDescriptor { label: Some(label), layout, entries: &entries };
        self.device().create_bind_group(&descriptor)
    }

    /// A buffer of tensors: an arena or constants.
    pub(crate) async fn storage_buffer_for(&self, spec: &BufferSpec) -> Result<wgpu::Buffer> {
        self.buffer(&spec.label, spec.bytes, TENSOR).await
    }

    /// Applies `take` to the bytes of a staging buffer after a submission. The buffer returns to the pool.
    pub(crate) async fn read<T>(
        &self,
        staging: Arc<Pooled>,
        bytes: u64,
        after: &Submission,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        if bytes == 0 {
            return Ok(take(&[]));
        }
        let mapping = Mapping { staging, unmapped: false };
        let slice = mapping.buffer().slice(..bytes);
        let (setter, mapped) = Signal::new();
        let answer = Arc::new(OnceLock::new());
        let told = answer.clone();
        let map = || {
            slice.map_async(wgpu::MapMode::Read, move |answer| {
                let _ = told.set(answer);
                drop(setter);
            })
        };
        self.guarded(map).await?;
        self.called(after, &mapped).await?;
        // The work is done: only the loss of the device keeps its result.
        match answer.get() {
            Some(Ok(())) => {}
            _ => {
                self.check()?;
                return Err(Error::new(ErrorKind::DeviceLost, "the device is lost: a result could not be read back"));
            }
        }
        let view = slice.get_mapped_range().map_err(|e| {
            caused(Error::new(ErrorKind::DeviceLost, format!("the result could not be read back: {e}")), e)
        })?;
        let out = take(&view);
        drop(view);
        mapping.unmap();
        Ok(out)
    }

    /// Waits for everything submitted so far.
    pub(crate) async fn idle(&self) -> Result<()> {
        self.alive().await?;
        let submission = self.guarded(|| self.submit(None, ())).await?;
        self.finished(&submission).await
    }

    /// Waits for everything submitted so far, on this thread: for measurements.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait(&self) -> Result<()> {
        let answer = self.device().poll(wgpu::PollType::wait_indefinitely());
        self.check()?;
        let failed = |e| caused(Error::new(ErrorKind::Device, format!("waiting for the device failed: {e}")), e);
        answer.map(drop).map_err(failed)
    }
}

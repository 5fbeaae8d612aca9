//! The elements of one tensor on a device.

use std::fmt;
use std::sync::{Arc, Weak};

use super::adapter::Gpu;
use super::memory::Pooled;
use crate::error::Result;

/// The elements of a tensor: a buffer of the pool.
#[derive(Clone)]
pub struct TensorBuffer {
    buffer: wgpu::Buffer,
    offset: u64,
    /// Returns the buffer to the pool behind the last clone.
    home: Option<Arc<Pooled>>,
}

impl fmt::Debug for TensorBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TensorBuffer({} bytes)", self.buffer.size())
    }
}

impl From<Pooled> for TensorBuffer {
    fn from(pooled: Pooled) -> TensorBuffer {
        TensorBuffer { buffer: pooled.buffer().clone(), offset: 0, home: Some(Arc::new(pooled)) }
    }
}

/// Tells whether a tensor is gone.
pub(crate) struct Watch(Weak<Pooled>);

impl Watch {
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl TensorBuffer {
    /// A number that no other tensor has; none if the program may write to the buffer.
    pub(crate) fn number(&self) -> Option<u64> {
        self.home.as_ref().map(|home| home.number())
    }

    pub(crate) fn watch(&self) -> Option<Watch> {
        self.home.as_ref().map(|home| Watch(Arc::downgrade(home)))
    }

    /// The buffer, and where the tensor begins in it.
    pub(crate) fn place(&self) -> (&wgpu::Buffer, u64) {
        (&self.buffer, self.offset)
    }

    /// Uploads host bytes into a new buffer.
    pub async fn upload(gpu: &Gpu, bytes: &[u8]) -> Result<TensorBuffer> {
        gpu.alive().await?;
        let made = TensorBuffer::from(gpu.tensor_buffer(bytes.len() as u64).await?);
        gpu.guarded(|| gpu.queue().write_buffer(&made.buffer, 0, bytes)).await?;
        Ok(made)
    }

    /// Applies `take` to the first `bytes` of the tensor.
    pub async fn download<T>(&self, gpu: &Gpu, bytes: u64, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
        gpu.alive().await?;
        let bytes = bytes.next_multiple_of(16);
        let staging = Arc::new(gpu.staging_buffer(bytes).await?);
        let copy = || {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&self.buffer, self.offset, staging.buffer(), 0, bytes);
            gpu.queue().submit([encoder.finish()])
        };
        let index = gpu.guarded(copy).await?;
        gpu.read(staging, bytes, &index, take).await
    }
}

//! The elements of one tensor on a device: a buffer of the pool, or part of a buffer of the program's.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::adapter::Gpu;
use super::pool::Pooled;
use crate::error::{Error, ErrorKind, Result};

/// The elements of a tensor, four bytes each, row-major.
#[derive(Clone)]
pub struct TensorBuffer {
    buffer: wgpu::Buffer,
    offset: u64,
    /// The bytes that may be read and written.
    bytes: u64,
    /// Returns the buffer to the pool behind the last clone; `None` for a buffer of the program's.
    home: Option<Arc<Pooled>>,
    /// Whether the commands that write it are done, if they were recorded into an encoder of the program's.
    recorded: Option<Arc<AtomicBool>>,
}

impl fmt::Debug for TensorBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TensorBuffer({} bytes)", self.bytes)
    }
}

impl From<Pooled> for TensorBuffer {
    fn from(pooled: Pooled) -> TensorBuffer {
        let (buffer, bytes) = (pooled.buffer().clone(), pooled.buffer().size());
        TensorBuffer { buffer, offset: 0, bytes, home: Some(Arc::new(pooled)), recorded: None }
    }
}

/// Tells whether what a tensor held may have changed or is gone.
pub(crate) struct Watch(Weak<Pooled>);

impl Watch {
    pub fn is_gone(&self) -> bool {
        self.0.upgrade().is_none_or(|pooled| pooled.is_spent())
    }
}

impl TensorBuffer {
    /// Part of a buffer of the program's.
    ///
    /// # Errors
    /// The offset is no multiple of 4; the buffer ends before the tensor, is one of another device, cannot be read, or is
    /// destroyed.
    pub(crate) async fn given(gpu: &Gpu, buffer: wgpu::Buffer, offset: u64, bytes: u64) -> Result<TensorBuffer> {
        gpu.check_shared()?;
        if !offset.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT) {
            return Err(Error::argument(format!("the offset {offset} is no multiple of 4")));
        }
        if offset.checked_add(bytes).is_none_or(|end| end > buffer.size()) {
            let size = buffer.size();
            return Err(Error::shape(format!("{bytes} bytes from {offset} on do not lie in a buffer of {size}")));
        }
        if !buffer.usage().contains(wgpu::BufferUsages::COPY_SRC) {
            return Err(Error::argument(format!("the buffer lacks the usage COPY_SRC, it has {:?}", buffer.usage())));
        }
        let given = TensorBuffer { buffer, offset, bytes, home: None, recorded: None };
        given.check(gpu).await?;
        Ok(given)
    }

    /// An error if the device refuses a buffer of the program's: it is one of another device, or destroyed.
    async fn check(&self, gpu: &Gpu) -> Result<()> {
        gpu.alive().await?;
        if self.bytes == 0 {
            return Ok(());
        }
        let to = gpu.tensor_buffer(4).await?;
        let copy = || {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&self.buffer, self.offset, to.buffer(), 0, 4);
            // What is destroyed is noticed only here.
            gpu.queue().submit([encoder.finish()])
        };
        gpu.guarded(copy).await.map(drop).map_err(|e| match e.kind() {
            ErrorKind::DeviceLost => e,
            _ => Error::argument(format!("the device refuses the buffer: {e}")),
        })
    }

    /// A number that no other tensor has; none if the program may write to the buffer.
    pub(crate) fn number(&self) -> Option<u64> {
        self.home.as_ref().filter(|home| !home.is_spent() && self.recorded.is_none()).map(|home| home.number())
    }

    pub(crate) fn watch(&self) -> Option<Watch> {
        self.home.as_ref().map(|home| Watch(Arc::downgrade(home)))
    }

    /// The buffer, and where the tensor begins in it.
    pub(crate) fn place(&self) -> (&wgpu::Buffer, u64) {
        (&self.buffer, self.offset)
    }

    /// How many of these bytes lie in the tensor's part of the buffer.
    pub(crate) fn within(&self, bytes: u64) -> u64 {
        bytes.min(self.bytes)
    }

    /// The buffer for the program, and where the tensor begins in it. What it holds may change from then on, and it does not
    /// return to the pool.
    pub(crate) fn give(&self) -> (wgpu::Buffer, u64) {
        self.home.iter().for_each(|home| home.spend());
        (self.buffer.clone(), self.offset)
    }

    /// Whether results may be written to it: the program has the buffer.
    pub(crate) fn is_writable(&self) -> bool {
        self.home.as_ref().is_none_or(|home| home.is_spent()) && self.recorded.is_none()
    }

    /// An error if nothing can be copied into the buffer.
    pub(crate) fn check_written(&self) -> Result<()> {
        match self.buffer.usage() {
            usage if usage.contains(wgpu::BufferUsages::COPY_DST) => Ok(()),
            usage => Err(Error::argument(format!("the buffer lacks the usage COPY_DST, it has {usage:?}"))),
        }
    }

    /// Whether both have bytes in common.
    pub(crate) fn overlaps(&self, other: &TensorBuffer) -> bool {
        let apart = self.offset + self.bytes <= other.offset || other.offset + other.bytes <= self.offset;
        self.buffer == other.buffer && !apart
    }

    /// The tensor as what commands of an encoder will write, which set `done` when they are done.
    pub(crate) fn recorded(self, done: &Arc<AtomicBool>) -> TensorBuffer {
        TensorBuffer { recorded: Some(done.clone()), ..self }
    }

    /// Keeps the buffer from the pool while it is used.
    pub(crate) fn reserve(&self, used: &Arc<()>) {
        self.home.iter().for_each(|home| home.reserve(used));
    }

    /// Waits for the commands that write it, if they were recorded.
    ///
    /// # Errors
    /// The encoder was not submitted; the device is lost.
    pub(crate) async fn settled(&self, gpu: &Gpu) -> Result<()> {
        let Some(done) = self.recorded.as_ref().filter(|done| !done.load(Ordering::Acquire)) else { return Ok(()) };
        gpu.idle().await?;
        // Another thread may be about to call back.
        #[cfg(not(target_arch = "wasm32"))]
        for _ in 0..50 {
            if done.load(Ordering::Acquire) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        match done.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(Error::argument("the tensor was recorded into an encoder that is not submitted yet")),
        }
    }

    /// Uploads host bytes into a new buffer.
    pub async fn upload(gpu: &Gpu, bytes: &[u8]) -> Result<TensorBuffer> {
        gpu.alive().await?;
        let made = TensorBuffer::from(gpu.tensor_buffer(bytes.len() as u64).await?);
        made.write(gpu, bytes).await?;
        Ok(made)
    }

    /// Uploads host bytes, as many as lie in the tensor.
    pub async fn write(&self, gpu: &Gpu, bytes: &[u8]) -> Result<()> {
        let bytes = &bytes[..self.within(bytes.len() as u64) as usize];
        gpu.guarded(|| gpu.queue().write_buffer(&self.buffer, self.offset, bytes)).await
    }

    /// Applies `take` to the first `bytes` of the tensor.
    pub async fn download<T>(&self, gpu: &Gpu, bytes: u64, take: impl FnOnce(&[u8]) -> T) -> Result<T> {
        gpu.alive().await?;
        self.settled(gpu).await?;
        let bytes = self.within(bytes.next_multiple_of(16));
        let staging = Arc::new(gpu.staging_buffer(bytes).await?);
        let copy = || {
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&self.buffer, self.offset, staging.buffer(), 0, bytes);
            gpu.submit(Some(encoder.finish()), ())
        };
        let index = gpu.guarded(copy).await?;
        gpu.read(staging, bytes, &index, take).await
    }
}

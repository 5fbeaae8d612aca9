//! Tensors of the host on their way to a device, where an element takes 4 bytes.

use crate::error::Result;
use crate::gpu::adapter::Gpu;
use crate::gpu::direct::Raw;
use crate::gpu::submit::Source;
use crate::gpu::tensor_buffer::TensorBuffer;
use crate::ops::bytes::FromBytes;
use crate::ops::only_launch;
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// Elements of 8 bits from which on their bytes go up and a kernel makes the words. It costs more than it saves for fewer.
const FEWEST: usize = 1 << 16;

/// The elements as an upload of a run.
///
/// # Errors
/// An integer does not fit the 32 bits of a device; it lacks memory or is lost.
pub(crate) async fn source<'a>(gpu: &Gpu, tensor: &'a Tensor) -> Result<Source<'a>> {
    if let Some(raw) = raw(gpu, tensor).await? {
        return Ok(Source::Raw(raw));
    }
    let bytes = tensor.to_device_bytes()?;
    match gpu.is_own() {
        true => Ok(Source::Host(bytes)),
        // What is written to a queue is there with the next submission, which may be the program's, of a recorded run that
        // uses the same memory. A copy is one of the commands of this run.
        false => Ok(Source::Uploaded(TensorBuffer::upload(gpu, &bytes).await?)),
    }
}

/// The elements as bytes on the device, if those are what should go up: not if the words that a kernel makes of them exceed what
/// it can bind.
///
/// # Errors
/// The device lacks memory or is lost.
pub(crate) async fn raw(gpu: &Gpu, tensor: &Tensor) -> Result<Option<Raw>> {
    let desc = tensor.desc();
    let words = 4 * desc.numel() as u64;
    let can_be_made = desc.numel() >= FEWEST && words <= gpu.caps().max_binding_bytes;
    if !matches!(desc.dtype, DType::I8 | DType::U8 | DType::Bool) || !can_be_made {
        return Ok(None);
    }
    let words = Desc::new([desc.numel().div_ceil(4)], DType::U32);
    let (launch, _) = only_launch(&FromBytes { desc }, words, gpu.caps())?;
    Ok(Some(Raw::upload(gpu, tensor.data().bytes(), &launch).await?))
}

//! Random numbers. A seed stands for PyTorch's generator: it gives the same numbers on every device.

use super::eager::run;
use crate::attr::BinaryKind;
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::memory;
use crate::rng::Rng;
use crate::shape::{DType, Desc, checked_numel};
use crate::tensor::Tensor;

/// A tensor of numbers that are drawn on the host.
fn drawn(shape: &[usize], number: impl FnMut() -> f64) -> Result<Tensor> {
    let count = checked_numel(shape)
        .ok_or_else(|| Error::unsupported(format!("a tensor of shape {shape:?} has 2^31 elements or more")))?;
    memory::afford(4 * count as u64, || format!("random numbers {}", Desc::f32(shape)))?;
    Tensor::new(shape, std::iter::repeat_with(number).take(count).map(|v| v as f32).collect::<Vec<_>>())
}

/// Numbers from 0 to 1, without 1: multiples of 2^-24, each as likely.
///
/// The result is f32. The numbers are those of splitmix64 from this seed on, so they are the same on every device, and others than
/// PyTorch's.
/// [torch.rand](https://docs.pytorch.org/docs/stable/generated/torch.rand.html)
///
/// ```
/// use convgpu::Device;
/// use convgpu::functional::rand;
///
/// let x = rand(&Device::cpu(), &[2, 3], 7)?;
/// assert!(x.to_host()?.as_f32()?.iter().all(|v| (0.0..1.0).contains(v)));
/// assert_eq!(rand(&Device::cpu(), &[6], 7)?.to_host()?.as_f32()?, x.to_host()?.as_f32()?);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// There are too many.
pub fn rand(device: &Device, size: &[usize], seed: u64) -> Result<DeviceTensor> {
    let mut rng = Rng(seed);
    drawn(size, || rng.unit(DType::F32))?.to_device(device)
}

/// Normally distributed numbers with mean 0 and variance 1.
///
/// The result is f32. The numbers follow from the seed as in [`rand`].
/// [torch.randn](https://docs.pytorch.org/docs/stable/generated/torch.randn.html)
///
/// # Errors
/// There are too many.
pub fn randn(device: &Device, size: &[usize], seed: u64) -> Result<DeviceTensor> {
    let mut rng = Rng(seed);
    drawn(size, || rng.normal())?.to_device(device)
}

/// 1 with the probability `input`, else 0: whether a number that [`rand`] draws from this seed is below the probability. A tie is
/// 0, and so is NaN.
///
/// The input is f32 of any shape, the result has the same.
/// [torch.bernoulli](https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html)
///
/// ```
/// use convgpu::functional::bernoulli;
/// use convgpu::{Device, Tensor};
///
/// let p = Tensor::from([0.0f32, 1.0, 0.0, 1.0]).to_device(&Device::cpu())?;
/// assert_eq!(bernoulli(&p, 3)?.to_host()?.as_f32()?, [0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The tensor is not f32.
pub fn bernoulli(input: &DeviceTensor, seed: u64) -> Result<DeviceTensor> {
    let numbers = rand(input.device(), input.shape(), seed)?;
    run(&[&numbers, input], |g, ids| {
        let below = g.binary(ids[0], ids[1], BinaryKind::Less)?;
        g.cast(below, DType::F32)
    })
}

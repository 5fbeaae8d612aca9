//! Resampling, padding, and moving pixels between space and channels.

use super::eager::run;
use crate::attr::PadMode;
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::InterpolateOptions;

/// Images resampled to another height and width, volumes to another depth as well: a size, or a factor of the input's.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]`, or `[n, c, d, h, w]` and `[n, c, od, oh, ow]`. Output i lies at `(i + 1/2) h / oh - 1/2` of the input's rows, with
/// `align_corners` at `i (h - 1) / (oh - 1)`, in mode `Nearest` at `i h / oh`. Where a factor is given it stands for
/// `oh / h`, unless `recompute_scale_factor` is set.
/// [torch.nn.functional.interpolate](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html)
///
/// ```
/// use convgpu::functional::{InterpolateOptions, interpolate};
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::new([1, 1, 1, 2], vec![1.0f32, 2.0])?.to_device(&Device::cpu())?;
/// let y = interpolate(&x, InterpolateOptions::new().scale_factor([1.0, 2.0]))?;
/// assert_eq!(y.to_host()?.as_f32()?, [1.0, 1.0, 2.0, 2.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// x is neither an image nor a volume; not exactly one of size and factor is set, or it is for other axes;
/// `recompute_scale_factor` without a factor; the result has no pixel; the mode is one of other axes; `align_corners` in a mode
/// that does not have it.
pub fn interpolate(x: &DeviceTensor, options: InterpolateOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.interpolate(ids[0], options))
}

/// Pads a tensor of any type. `pad` has two numbers per axis, the elements added before and after it, the last axis
/// first: `[left, right, top, bottom]` for an image. Negative numbers crop, and `Circular` repeats what remains. Axes that
/// `pad` does not cover are not padded.
///
/// [torch.nn.functional.pad](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html), whose value is
/// part of [`PadMode::Constant`].
///
/// ```
/// use convgpu::functional::{PadMode, pad};
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::new([3], vec![1.0f32, 2.0, 3.0])?.to_device(&Device::cpu())?;
/// let y = pad(&x, &[1, 2], PadMode::Constant(9.0))?;
/// assert_eq!(y.to_host()?.as_f32()?, [9.0, 1.0, 2.0, 3.0, 9.0, 9.0]);
/// let y = pad(&x, &[2, -1], PadMode::Reflect)?;
/// assert_eq!(y.to_host()?.as_f32()?, [3.0, 2.0, 1.0, 2.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// `pad` has an odd length or covers more axes than there are; `Reflect` would add as many elements as an axis has or
/// more, `Circular` more than remain of it.
pub fn pad(x: &DeviceTensor, pad: &[i64], mode: PadMode) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.pad(ids[0], pad, mode))
}

/// Channels become pixels: `[n, c r r, h, w]` to `[n, c, h r, w r]`, r being the factor. Channel `(c r + u) r + v` gives
/// the pixels of row u and column v in every square of r by r.
///
/// [torch.nn.functional.pixel_shuffle](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_shuffle.html)
///
/// # Errors
/// x is not an image; its channels are not a multiple of `r r`.
pub fn pixel_shuffle(x: &DeviceTensor, upscale_factor: usize) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.pixel_shuffle(ids[0], upscale_factor))
}

/// Pixels become channels: `[n, c, h r, w r]` to `[n, c r r, h, w]`, r being the factor. It undoes [`pixel_shuffle`].
///
/// [torch.nn.functional.pixel_unshuffle](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_unshuffle.html)
///
/// # Errors
/// x is not an image; height or width is not a multiple of r.
pub fn pixel_unshuffle(x: &DeviceTensor, downscale_factor: usize) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.pixel_unshuffle(ids[0], downscale_factor))
}

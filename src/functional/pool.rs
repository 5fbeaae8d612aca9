//! Pooling.

use super::eager::{run, run_all};
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::{
    AvgPool2dOptions, AvgPool3dOptions, FoldOptions, LpPool2dOptions, LpPool3dOptions, MaxPool2dOptions,
    MaxPool3dOptions, MaxUnpool2dOptions, Pair, Triple,
};

/// The maximum of every window of an image; NaN if the window has one.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]` with `oh = (h + 2 py - dy (kh - 1) - 1) / sy + 1` rounded down, or
/// with `ceil_mode` up, `ow` likewise. The padding counts as -inf.
/// [torch.nn.functional.max_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html)
///
/// # Errors
/// x is not an image; the padded image is smaller than the kernel; the padding exceeds half the kernel.
pub fn max_pool2d(x: &DeviceTensor, kernel_size: impl Into<Pair>, options: MaxPool2dOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.max_pool2d(ids[0], kernel_size, options))
}

/// [`max_pool2d`], and the index of each maximum in its plane: i64, `iy w + ix`, the first of equal values.
///
/// x is `[n, c, h, w]`, both results are `[n, c, oh, ow]`. It is `max_pool2d(.., return_indices=True)`.
/// [torch.nn.functional.max_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html)
///
/// # Errors
/// As [`max_pool2d`].
pub fn max_pool2d_with_indices(
    x: &DeviceTensor,
    kernel_size: impl Into<Pair>,
    options: MaxPool2dOptions,
) -> Result<(DeviceTensor, DeviceTensor)> {
    let mut out = run_all(&[x], |g, ids| Ok(g.max_pool2d_with_indices(ids[0], kernel_size, options)?.to_vec()))?;
    let indices = out.remove(1);
    Ok((out.remove(0), indices))
}

/// The mean of every window of an image.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]` with `oh = (h + 2 py - kh) / sy + 1` rounded down, or with
/// `ceil_mode` up, `ow` likewise. The sum of a window is divided by its number of elements (padding included unless
/// `count_include_pad` is false) or by `divisor_override`.
/// [torch.nn.functional.avg_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html)
///
/// # Errors
/// x is not an image; the padded image is smaller than the kernel; the padding exceeds half the kernel.
pub fn avg_pool2d(x: &DeviceTensor, kernel_size: impl Into<Pair>, options: AvgPool2dOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.avg_pool2d(ids[0], kernel_size, options))
}

/// The maximum of every window of a volume; NaN if the window has one.
///
/// x is `[n, c, d, h, w]`, the result `[n, c, od, oh, ow]`, each extent as in [`max_pool2d`]. The padding counts as -inf.
/// [torch.nn.functional.max_pool3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool3d.html)
///
/// # Errors
/// x is not a volume; the padded volume is smaller than the kernel; the padding exceeds half the kernel.
pub fn max_pool3d(x: &DeviceTensor, kernel_size: impl Into<Triple>, options: MaxPool3dOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.max_pool3d(ids[0], kernel_size, options))
}

/// The mean of every window of a volume.
///
/// x is `[n, c, d, h, w]`, the result `[n, c, od, oh, ow]`, each extent and the divisor as in [`avg_pool2d`].
/// [torch.nn.functional.avg_pool3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool3d.html)
///
/// # Errors
/// x is not a volume; the padded volume is smaller than the kernel; the padding exceeds half the kernel.
pub fn avg_pool3d(x: &DeviceTensor, kernel_size: impl Into<Triple>, options: AvgPool3dOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.avg_pool3d(ids[0], kernel_size, options))
}

/// `(sum of x^p)^(1/p)` of every window of an image, with p = `norm_type`.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]` with `oh = (h - kh) / sy + 1` rounded down, or with `ceil_mode` up,
/// `ow` likewise. As in PyTorch, the sum is of x and not of |x|, so order 1 gives signed sums; and the sum of a window
/// that exceeds the image is scaled up to a full window.
/// [torch.nn.functional.lp_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html)
///
/// # Errors
/// x is not an image; it is smaller than the kernel; `norm_type` is 0 or not finite.
pub fn lp_pool2d(
    x: &DeviceTensor,
    norm_type: f32,
    kernel_size: impl Into<Pair>,
    options: LpPool2dOptions,
) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.lp_pool2d(ids[0], norm_type, kernel_size, options))
}

/// `(sum of x^p)^(1/p)` of every window of a volume, with p = `norm_type`.
///
/// x is `[n, c, d, h, w]`, the result `[n, c, od, oh, ow]`, each extent and the sums as in [`lp_pool2d`].
/// [torch.nn.functional.lp_pool3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool3d.html)
///
/// # Errors
/// x is not a volume; it is smaller than the kernel; `norm_type` is 0 or not finite.
pub fn lp_pool3d(
    x: &DeviceTensor,
    norm_type: f32,
    kernel_size: impl Into<Triple>,
    options: LpPool3dOptions,
) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.lp_pool3d(ids[0], norm_type, kernel_size, options))
}

/// The means of `output_size` parts of an image: output row i covers the rows from `i h / oh` rounded down to
/// `(i + 1) h / oh` rounded up, columns likewise.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]`.
/// [torch.nn.functional.adaptive_avg_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html)
///
/// # Errors
/// x is not an image or has no pixels.
pub fn adaptive_avg_pool2d(x: &DeviceTensor, output_size: impl Into<Pair>) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.adaptive_avg_pool2d(ids[0], output_size))
}

/// The maxima of `output_size` parts of an image: output row i covers the rows from `i h / oh` rounded down to
/// `(i + 1) h / oh` rounded up, columns likewise.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]`.
/// [torch.nn.functional.adaptive_max_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html)
///
/// # Errors
/// x is not an image or has no pixels.
pub fn adaptive_max_pool2d(x: &DeviceTensor, output_size: impl Into<Pair>) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.adaptive_max_pool2d(ids[0], output_size))
}

/// The means of `output_size` parts of a volume, along each axis as in [`adaptive_avg_pool2d`].
///
/// x is `[n, c, d, h, w]`, the result `[n, c, od, oh, ow]`.
/// [torch.nn.functional.adaptive_avg_pool3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool3d.html)
///
/// # Errors
/// x is not a volume or has no pixels.
pub fn adaptive_avg_pool3d(x: &DeviceTensor, output_size: impl Into<Triple>) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.adaptive_avg_pool3d(ids[0], output_size))
}

/// The maxima of `output_size` parts of a volume, along each axis as in [`adaptive_max_pool2d`].
///
/// x is `[n, c, d, h, w]`, the result `[n, c, od, oh, ow]`.
/// [torch.nn.functional.adaptive_max_pool3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool3d.html)
///
/// # Errors
/// x is not a volume or has no pixels.
pub fn adaptive_max_pool3d(x: &DeviceTensor, output_size: impl Into<Triple>) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.adaptive_max_pool3d(ids[0], output_size))
}

/// The partial inverse of [`max_pool2d_with_indices`](super::max_pool2d_with_indices): each value at the place that its index
/// names,
/// `iy ow + ix` of its plane, and zeros elsewhere. Of several values for a place the last one has it.
///
/// x is `[n, c, h, w]`, the indices have its shape, i64 or i32. The result is `[n, c, oh, ow]` with `oh = (h - 1) sy + kh - 2
/// py`,
/// `ow` likewise, or of `output_size`. An index outside the plane is an error on the reference; a device drops the value.
/// [torch.nn.functional.max_unpool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html)
///
/// ```
/// use convgpu::functional::{MaxUnpool2dOptions, max_unpool2d};
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::new([1, 1, 1, 2], vec![3.0f32, 5.0])?.to_device(&device)?;
/// let indices = Tensor::new([1, 1, 1, 2], vec![1i64, 2])?.to_device(&device)?;
/// let y = max_unpool2d(&x, &indices, [1, 2], MaxUnpool2dOptions::new())?;
/// assert_eq!(y.to_host()?.as_f32()?, [0.0, 3.0, 5.0, 0.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// x is not an image, the indices do not have its shape, or `output_size` is a stride or more from the size that follows.
pub fn max_unpool2d(
    x: &DeviceTensor,
    indices: &DeviceTensor,
    kernel_size: impl Into<Pair>,
    options: MaxUnpool2dOptions,
) -> Result<DeviceTensor> {
    run(&[x, indices], |g, ids| g.max_unpool2d(ids[0], ids[1], kernel_size, options))
}

/// An image as the sum of the windows that were taken of it: each pixel is the sum of the taps that lie on it.
///
/// x is `[n, c kh kw, windows]`, the result `[n, c, h, w]` of `output_size`.
/// [torch.nn.functional.fold](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html)
///
/// ```
/// use convgpu::functional::{FoldOptions, fold};
/// use convgpu::{Device, Tensor};
///
/// // Two windows of a row of three pixels, which share the middle one.
/// let x = Tensor::new([1, 2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?.to_device(&Device::cpu())?;
/// let y = fold(&x, [1, 3], [1, 2], FoldOptions::new())?;
/// assert_eq!(y.to_host()?.as_f32()?, [1.0, 5.0, 4.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The windows are not those of an image of this size.
pub fn fold(
    x: &DeviceTensor,
    output_size: impl Into<Pair>,
    kernel_size: impl Into<Pair>,
    options: FoldOptions,
) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.fold(ids[0], output_size, kernel_size, options))
}

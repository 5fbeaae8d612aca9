//! Pooling.

use super::cache::{run, run_all};
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions, Pair};

/// The maximum of every window of an image; a NaN beats every number.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]` with `oh = (h + 2 py - dy (kh - 1) - 1) / sy + 1` rounded down, or with
/// `ceil_mode` up, `ow` alike. The padding never wins.
/// [torch.nn.functional.max_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html)
///
/// # Errors
/// x is no image; the padded image is smaller than the kernel; the padding exceeds half the kernel.
pub fn max_pool2d(x: &DeviceTensor, kernel_size: impl Into<Pair>, options: MaxPool2dOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.max_pool2d(ids[0], kernel_size, options))
}

/// [`max_pool2d`], and where in its plane each maximum is: i64, `iy w + ix`, of equal values the first.
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
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]` with `oh = (h + 2 py - kh) / sy + 1` rounded down, or with `ceil_mode`
/// up, `ow` alike. The sum of a window is divided by its number of elements, those of the padding counted unless
/// `count_include_pad` is false, or by `divisor_override`.
/// [torch.nn.functional.avg_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html)
///
/// # Errors
/// x is no image; the padded image is smaller than the kernel; the padding exceeds half the kernel.
pub fn avg_pool2d(x: &DeviceTensor, kernel_size: impl Into<Pair>, options: AvgPool2dOptions) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.avg_pool2d(ids[0], kernel_size, options))
}

/// The power mean of every window of an image, times its size: `(sum of x^p)^(1/p)` with p = `norm_type`.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]` with `oh = (h - kh) / sy + 1` rounded down, or with `ceil_mode` up,
/// `ow` alike. As PyTorch has it, x is not made positive, so that order 1 gives signed sums; and a window that hangs over
/// the end is scaled up to a whole one.
/// [torch.nn.functional.lp_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html)
///
/// # Errors
/// x is no image; it is smaller than the kernel; `norm_type` is 0 or not finite.
pub fn lp_pool2d(
    x: &DeviceTensor,
    norm_type: f32,
    kernel_size: impl Into<Pair>,
    options: LpPool2dOptions,
) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.lp_pool2d(ids[0], norm_type, kernel_size, options))
}

/// The means of an image's parts, as many as `output_size` says: row i covers the rows from `i h / oh` rounded down to
/// `(i + 1) h / oh` rounded up, columns alike.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]`.
/// [torch.nn.functional.adaptive_avg_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html)
///
/// # Errors
/// x is no image or has no pixels.
pub fn adaptive_avg_pool2d(x: &DeviceTensor, output_size: impl Into<Pair>) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.adaptive_avg_pool2d(ids[0], output_size))
}

/// The maxima of an image's parts, as many as `output_size` says: row i covers the rows from `i h / oh` rounded down to
/// `(i + 1) h / oh` rounded up, columns alike.
///
/// x is `[n, c, h, w]`, the result `[n, c, oh, ow]`.
/// [torch.nn.functional.adaptive_max_pool2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html)
///
/// # Errors
/// x is no image or has no pixels.
pub fn adaptive_max_pool2d(x: &DeviceTensor, output_size: impl Into<Pair>) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.adaptive_max_pool2d(ids[0], output_size))
}

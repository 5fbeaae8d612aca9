//! Pooling.

use super::{run_graph, run_named};
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::{AvgPool2dOptions, MaxPool2dOptions, Pair};

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html>
///
/// # Errors
/// The window does not fit `[n, c, h, w]`.
pub fn max_pool2d(x: &DeviceTensor, kernel_size: impl Into<Pair>, options: &MaxPool2dOptions) -> Result<DeviceTensor> {
    let k = kernel_size.into();
    run_named(&format!("max_pool2d{k:?}{options:?}"), &[x], |g, ids| g.max_pool2d(ids[0], k, options))
}

/// As [`max_pool2d`], and where in its plane each maximum is: i64, `iy w + ix`.
///
/// # Errors
/// As there.
pub fn max_pool2d_with_indices(
    x: &DeviceTensor,
    kernel_size: impl Into<Pair>,
    options: &MaxPool2dOptions,
) -> Result<(DeviceTensor, DeviceTensor)> {
    let k = kernel_size.into();
    let name = format!("max_pool2d_with_indices{k:?}{options:?}");
    let mut out = run_graph(&name, &[x], |g, ids| Ok(g.max_pool2d_with_indices(ids[0], k, options)?.to_vec()))?;
    let indices = out.remove(1);
    Ok((out.remove(0), indices))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html>
///
/// # Errors
/// The window does not fit `[n, c, h, w]`.
pub fn avg_pool2d(x: &DeviceTensor, kernel_size: impl Into<Pair>, options: &AvgPool2dOptions) -> Result<DeviceTensor> {
    let k = kernel_size.into();
    run_named(&format!("avg_pool2d{k:?}{options:?}"), &[x], |g, ids| g.avg_pool2d(ids[0], k, options))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html>
///
/// # Errors
/// The input is not `[n, c, h, w]`.
pub fn adaptive_avg_pool2d(x: &DeviceTensor, output_size: impl Into<Pair>) -> Result<DeviceTensor> {
    let size = output_size.into();
    run_named(&format!("adaptive_avg_pool2d{size:?}"), &[x], |g, ids| g.adaptive_avg_pool2d(ids[0], size))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html>
///
/// # Errors
/// The input is not `[n, c, h, w]`.
pub fn adaptive_max_pool2d(x: &DeviceTensor, output_size: impl Into<Pair>) -> Result<DeviceTensor> {
    let size = output_size.into();
    run_named(&format!("adaptive_max_pool2d{size:?}"), &[x], |g, ids| g.adaptive_max_pool2d(ids[0], size))
}

//! Functions that move, select or repeat elements. All take tensors of every type.

use super::eager::{run, run_all};
use crate::device::DeviceTensor;
use crate::error::{Error, Result};
use crate::graph::flattened;
use crate::options::SplitSizes;

/// Concatenates tensors of one type along an axis. All other axes must agree.
///
/// The extent of the axis in the result is the sum of those of the tensors.
/// [torch.cat](https://docs.pytorch.org/docs/stable/generated/torch.cat.html)
///
/// # Errors
/// There is no tensor; types or another axis differ; the axis is outside the tensors.
pub fn cat(tensors: &[&DeviceTensor], dim: i64) -> Result<DeviceTensor> {
    run(tensors, |g, ids| g.cat(ids, dim))
}

/// Splits a tensor along an axis: into parts of one extent, the last part possibly smaller, or into parts of given extents.
///
/// [torch.split](https://docs.pytorch.org/docs/stable/generated/torch.split.html)
///
/// ```
/// use convgpu::functional::split;
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::zeros([5, 2]).to_device(&Device::cpu())?;
/// let extents = |parts: Vec<convgpu::DeviceTensor>| parts.iter().map(|t| t.shape()[0]).collect::<Vec<_>>();
/// assert_eq!(extents(split(&x, 2, 0)?), [2, 2, 1]);
/// assert_eq!(extents(split(&x, [1, 4], 0)?), [1, 4]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The axis is outside the tensor; the parts do not add up to it.
pub fn split(x: &DeviceTensor, sizes: impl Into<SplitSizes>, dim: i64) -> Result<Vec<DeviceTensor>> {
    run_all(&[x], |g, ids| g.split(ids[0], sizes, dim))
}

/// `length` entries of an axis from `start` on; a negative start counts from the end.
///
/// The axis of the result has extent `length`.
/// [torch.narrow](https://docs.pytorch.org/docs/stable/generated/torch.narrow.html)
///
/// # Errors
/// The axis is outside the tensor, or the entries outside the axis.
pub fn narrow(x: &DeviceTensor, dim: i64, start: i64, length: usize) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.narrow(ids[0], dim, start, length))
}

/// The entries of an axis that the index selects: `y[.., i, ..] = x[.., index[i], ..]`.
///
/// The index is `[k]` of integers; the axis of the result has extent k. Negative indices count from the end (PyTorch
/// refuses them). An index outside the axis is an error on the CPU reference; a GPU, which cannot report it, takes the
/// nearest entry.
/// [torch.index_select](https://docs.pytorch.org/docs/stable/generated/torch.index_select.html)
///
/// # Errors
/// The axis is outside the tensor; the indices are not integers or have more than one axis.
pub fn index_select(x: &DeviceTensor, dim: i64, index: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[x, index], |g, ids| g.index_select(ids[0], dim, ids[1]))
}

/// Repeats a tensor along its axes of extent 1 so that it has this shape; -1 keeps an axis. More sizes than axes add
/// axes in front.
///
/// [torch.Tensor.expand](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html), which makes a view;
/// here the elements are copied.
///
/// # Errors
/// An axis of another extent would change; -1 stands for a new axis.
pub fn expand(x: &DeviceTensor, sizes: &[i64]) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.expand(ids[0], sizes))
}

/// Repeats a whole tensor `dims[k]` times along axis k. Fewer numbers than axes are for the last axes; more add axes in
/// front.
///
/// Axis k of the result has `dims[k]` times the extent.
/// [torch.tile](https://docs.pytorch.org/docs/stable/generated/torch.tile.html)
///
/// # Errors
/// The result is too large.
pub fn tile(x: &DeviceTensor, dims: &[usize]) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.tile(ids[0], dims))
}

/// The axes in another order: axis k of the result is axis `dims[k]` of x.
///
/// [torch.permute](https://docs.pytorch.org/docs/stable/generated/torch.permute.html), which makes a view; here the
/// elements are copied.
///
/// # Errors
/// `dims` does not contain every axis once.
pub fn permute(x: &DeviceTensor, dims: &[i64]) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.permute(ids[0], dims))
}

/// Two axes exchanged.
///
/// [torch.transpose](https://docs.pytorch.org/docs/stable/generated/torch.transpose.html), which makes a view; here the
/// elements are copied.
///
/// # Errors
/// An axis is outside the tensor.
pub fn transpose(x: &DeviceTensor, dim0: i64, dim1: i64) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.transpose(ids[0], dim0, dim1))
}

/// The axes from `start_dim` to `end_dim` become one: `[2, 3, 4, 5]` from 1 to -1 is `[2, 60]`. Nothing is copied.
///
/// [torch.flatten](https://docs.pytorch.org/docs/stable/generated/torch.flatten.html)
///
/// # Errors
/// An axis is outside the tensor, or the end before the start.
pub fn flatten(x: &DeviceTensor, start_dim: i64, end_dim: i64) -> Result<DeviceTensor> {
    x.reshape(flattened(x.shape(), start_dim, end_dim)?)
}

/// The same elements under another shape. One extent may be -1: it follows from the others. Nothing is copied.
///
/// [torch.reshape](https://docs.pytorch.org/docs/stable/generated/torch.reshape.html)
///
/// ```
/// use convgpu::functional::reshape;
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::zeros([2, 3, 4]).to_device(&Device::cpu())?;
/// assert_eq!(reshape(&x, &[4, -1])?.shape(), [4, 6]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The element counts differ; there are two -1, or one that the others do not determine.
pub fn reshape(x: &DeviceTensor, shape: &[i64]) -> Result<DeviceTensor> {
    let misfit = || Error::shape(format!("{} cannot be reshaped to {shape:?}", x.desc()));
    let known = shape.iter().filter(|&&d| d != -1);
    let known: usize =
        known.map(|&d| usize::try_from(d).ok()).try_fold(1usize, |a, d| a.checked_mul(d?)).ok_or_else(misfit)?;
    let rest = || match x.desc().numel().checked_div(known) {
        Some(rest) if shape.iter().filter(|&&d| d == -1).count() == 1 => Ok(rest),
        _ => Err(misfit()),
    };
    let extents = shape.iter().map(|&d| usize::try_from(d).or_else(|_| rest()));
    x.reshape(extents.collect::<Result<Vec<_>>>()?)
}

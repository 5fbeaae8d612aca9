//! Reductions over axes, and indices of extremes.

use super::eager::{run, run_all};
use crate::device::DeviceTensor;
use crate::error::Result;

macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident: $types:literal;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = concat!($types, " `dim` lists the axes that are reduced, an empty list all of them; with `keepdim` they keep extent 1.")]
        #[doc = concat!("[torch.", stringify!($name), "](https://docs.pytorch.org/docs/stable/generated/torch.", stringify!($name), ".html)")]
        ///
        /// # Errors
        /// An axis is outside the tensor or named twice; the type does not have the function.
        pub fn $name(x: &DeviceTensor, dim: &[i64], keepdim: bool) -> Result<DeviceTensor> {
            run(&[x], |g, ids| g.$name(ids[0], dim, keepdim))
        }
    )*};
}

reductions! {
    /// The sum over axes.
    sum: "x holds numbers; of integers the sum has the same type.";
    /// The mean over axes.
    mean: "x is f32.";
    /// The largest value over axes; NaN if a value is NaN.
    amax: "x is of any type.";
    /// The smallest value over axes; NaN if a value is NaN.
    amin: "x is of any type.";
    /// The product over axes; PyTorch's function takes one axis.
    prod: "x holds numbers; of integers the product has the same type.";
    /// `log(sum of e^x)` over axes, computed so that no exponential overflows.
    logsumexp: "x is f32.";
}

/// The norm of order p over axes: `(sum of |x|^p)^(1/p)`. Order infinity gives the largest |x|, order minus infinity
/// the smallest, order 0 the number of x that are not 0.
///
/// x is f32. `dim` lists the axes that are reduced, an empty list all of them; with `keepdim` they keep extent 1.
/// [torch.norm](https://docs.pytorch.org/docs/stable/generated/torch.norm.html), with p 2 by default.
///
/// # Errors
/// An axis is outside the tensor or named twice; p is NaN.
pub fn norm(x: &DeviceTensor, p: f32, dim: &[i64], keepdim: bool) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.norm(ids[0], p, dim, keepdim))
}

/// The index (i64) of the largest value along an axis, or with `None` in the flattened tensor. Of equal values the
/// first counts; NaN is larger than any number.
///
/// x is of any type. The axis is removed, or with `keepdim` keeps extent 1; with `None` this holds for all axes.
/// [torch.argmax](https://docs.pytorch.org/docs/stable/generated/torch.argmax.html)
///
/// ```
/// use convgpu::functional::argmax;
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::new([2, 3], vec![1.0f32, 5.0, 2.0, 4.0, 0.0, 7.0])?.to_device(&Device::cpu())?;
/// assert_eq!(argmax(&x, 1, false)?.to_host()?.to_i64s()?, [1, 2]);
/// assert_eq!(argmax(&x, None, false)?.to_host()?.to_i64s()?, [5]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The axis is outside the tensor; there is no value.
pub fn argmax(x: &DeviceTensor, dim: impl Into<Option<i64>>, keepdim: bool) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.argmax(ids[0], dim, keepdim))
}

/// The index (i64) of the smallest value along an axis, or with `None` in the flattened tensor. Of equal values the
/// first counts; NaN is smaller than any number.
///
/// x is of any type. The axis is removed, or with `keepdim` keeps extent 1; with `None` this holds for all axes.
/// [torch.argmin](https://docs.pytorch.org/docs/stable/generated/torch.argmin.html)
///
/// # Errors
/// The axis is outside the tensor; there is no value.
pub fn argmin(x: &DeviceTensor, dim: impl Into<Option<i64>>, keepdim: bool) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.argmin(ids[0], dim, keepdim))
}

/// The k largest values along an axis (or the smallest, if not `largest`) and their indices (i64), the most extreme
/// first. Equal values keep their order; NaN is larger than any number.
///
/// x is of any type. The axis has extent k in both results.
/// [torch.topk](https://docs.pytorch.org/docs/stable/generated/torch.topk.html)
///
/// # Errors
/// The axis is outside the tensor or shorter than k, or on a GPU longer than 65 536.
pub fn topk(x: &DeviceTensor, k: usize, dim: i64, largest: bool) -> Result<(DeviceTensor, DeviceTensor)> {
    let mut out = run_all(&[x], |g, ids| Ok(g.topk(ids[0], k, dim, largest)?.to_vec()))?;
    let indices = out.remove(1);
    Ok((out.remove(0), indices))
}

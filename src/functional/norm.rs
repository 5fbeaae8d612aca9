//! Normalisation.

use super::eager::{Given, run, run_all};
use crate::device::DeviceTensor;
use crate::error::{Error, Result};

/// Normalises each channel with given statistics: `y = (x - running_mean) / sqrt(running_var + eps) weight + bias`.
///
/// x is `[n, c, ..]`, the result likewise; statistics, weight and bias are `[c]`. A missing weight counts as 1, a
/// missing bias as 0. It is
/// [torch.nn.functional.batch_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html)
/// with `training=False`; with `training=True` it is [`batch_norm_training`].
///
/// # Errors
/// The shapes do not fit each other.
pub fn batch_norm(
    x: &DeviceTensor,
    running_mean: &DeviceTensor,
    running_var: &DeviceTensor,
    weight: Option<&DeviceTensor>,
    bias: Option<&DeviceTensor>,
    eps: f32,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(x), Some(running_mean), Some(running_var), weight, bias]);
    run(&given.tensors, |g, ids| {
        let affine = given.values(ids);
        g.batch_norm(ids[0], [ids[1], ids[2]], affine[3], affine[4], eps)
    })
}

/// Normalises each channel with its statistics over the batch, `y = (x - mean) / sqrt(var + eps) weight + bias` with
/// the biased variance, and updates the running statistics: `(1 - momentum) running + momentum batch`, with the
/// unbiased variance of the batch (divisor n - 1).
///
/// x is `[n, c, ..]`, the result likewise; statistics, weight and bias are `[c]`. Both running statistics (mean, then
/// variance) are given and returned, or neither. It is
/// [torch.nn.functional.batch_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html)
/// with `training=True`, which writes the new statistics into the old ones; here nothing is overwritten.
///
/// # Errors
/// The shapes do not fit each other; a channel has only one value; only one of the running statistics is given.
pub fn batch_norm_training(
    x: &DeviceTensor,
    running_mean: Option<&DeviceTensor>,
    running_var: Option<&DeviceTensor>,
    weight: Option<&DeviceTensor>,
    bias: Option<&DeviceTensor>,
    momentum: f32,
    eps: f32,
) -> Result<(DeviceTensor, Option<[DeviceTensor; 2]>)> {
    if running_mean.is_some() != running_var.is_some() {
        return Err(Error::argument("batch_norm_training takes both running statistics or none"));
    }
    let given = Given::new(&[Some(x), running_mean, running_var, weight, bias]);
    let mut out = run_all(&given.tensors, |g, ids| {
        let values = given.values(ids);
        let running = values[1].zip(values[2]).map(|(mean, var)| [mean, var]);
        let outputs = g.batch_norm_training(ids[0], running, values[3], values[4], momentum, eps)?;
        Ok(outputs[..if running.is_some() { 3 } else { 1 }].to_vec())
    })?;
    let statistics = out.split_off(1);
    Ok((out.remove(0), statistics.try_into().ok()))
}

/// Normalises each slice over the last axes with its own statistics: `y = (x - mean) / sqrt(var + eps) weight + bias`
/// with the biased variance.
///
/// x is `[.., normalized_shape..]`, the result likewise; weight and bias have the normalized shape. A missing weight
/// counts as 1, a missing bias as 0.
/// [torch.nn.functional.layer_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html)
///
/// # Errors
/// The last axes of x do not have this shape, or weight or bias do not.
pub fn layer_norm(
    x: &DeviceTensor,
    normalized_shape: &[usize],
    weight: Option<&DeviceTensor>,
    bias: Option<&DeviceTensor>,
    eps: f32,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(x), weight, bias]);
    run(&given.tensors, |g, ids| {
        let affine = given.values(ids);
        g.layer_norm(ids[0], normalized_shape, affine[1], affine[2], eps)
    })
}

/// Normalises each group of consecutive channels of each image with its own statistics:
/// `y = (x - mean) / sqrt(var + eps) weight + bias` with the biased variance.
///
/// x is `[n, c, ..]`, the result likewise; weight and bias are `[c]`, one value per channel. A missing weight counts as
/// 1, a missing bias as 0.
/// [torch.nn.functional.group_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html)
///
/// # Errors
/// The channels do not split into the groups; weight or bias do not fit.
pub fn group_norm(
    x: &DeviceTensor,
    num_groups: usize,
    weight: Option<&DeviceTensor>,
    bias: Option<&DeviceTensor>,
    eps: f32,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(x), weight, bias]);
    run(&given.tensors, |g, ids| {
        let affine = given.values(ids);
        g.group_norm(ids[0], num_groups, affine[1], affine[2], eps)
    })
}

/// Normalises each channel of each image with its own statistics: `y = (x - mean) / sqrt(var + eps) weight + bias` with
/// the biased variance.
///
/// x is `[n, c, ..]`, the result likewise; weight and bias are `[c]`. A missing weight counts as 1, a missing bias as
/// 0. It is
/// [torch.nn.functional.instance_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html)
/// with `use_input_stats=True` and without running statistics; with `use_input_stats=False` it is [`batch_norm`].
///
/// # Errors
/// x has no channel axis; weight or bias do not fit.
pub fn instance_norm(
    x: &DeviceTensor,
    weight: Option<&DeviceTensor>,
    bias: Option<&DeviceTensor>,
    eps: f32,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(x), weight, bias]);
    run(&given.tensors, |g, ids| {
        let affine = given.values(ids);
        g.instance_norm(ids[0], affine[1], affine[2], eps)
    })
}

/// Normalises each value by the neighbouring channels: `y = x (k + alpha / size sum of x^2)^-beta`, the sum over `size`
/// channels around the value's own (for an even size, one more below it); missing channels are 0.
///
/// x is `[n, c, ..]`, the result likewise. PyTorch's defaults are alpha 1e-4, beta 0.75, k 1.
/// [torch.nn.functional.local_response_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.local_response_norm.html)
///
/// # Errors
/// x has no channel axis; size is 0; k is not above 0 or alpha is below 0.
pub fn local_response_norm(x: &DeviceTensor, size: usize, alpha: f32, beta: f32, k: f32) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.local_response_norm(ids[0], size, alpha, beta, k))
}

/// Scales vectors along an axis to norm 1: `y = x / max(norm(x), eps)` with the norm of order p as in
/// [`norm`](super::norm).
///
/// x has any shape, the result has the same. PyTorch's defaults are p 2, dim 1, eps 1e-12.
/// [torch.nn.functional.normalize](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html)
///
/// # Errors
/// The axis is outside the tensor.
pub fn normalize(x: &DeviceTensor, p: f32, dim: i64, eps: f32) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.normalize(ids[0], p, dim, eps))
}

/// The softmax along an axis: `y = e^x / sum of e^x`; -inf gives 0.
///
/// x has any shape, the result has the same.
/// [torch.nn.functional.softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html)
///
/// # Errors
/// The axis is outside the tensor.
pub fn softmax(x: &DeviceTensor, dim: i64) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.softmax(ids[0], dim))
}

/// The logarithm of [`softmax`], computed without loss of digits: `y = x - log(sum of e^x)`.
///
/// x has any shape, the result has the same.
/// [torch.nn.functional.log_softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html)
///
/// # Errors
/// The axis is outside the tensor.
pub fn log_softmax(x: &DeviceTensor, dim: i64) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.log_softmax(ids[0], dim))
}

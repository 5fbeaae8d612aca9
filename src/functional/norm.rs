//! Normalisation.

use super::cache::{Given, run, run_all};
use crate::device::DeviceTensor;
use crate::error::{Error, Result};

/// Each channel by given statistics: `y = (x - running_mean) / sqrt(running_var + eps) weight + bias`.
///
/// x is `[n, c, ..]`, the result alike; statistics, weight and bias are `[c]`. Without a weight it is 1, without a bias 0.
/// It is [torch.nn.functional.batch_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html)
/// with `training=False`; [`batch_norm_training`] is the other.
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

/// Each channel by its own statistics over the batch: `y = (x - mean) / sqrt(var + eps) weight + bias` with the biased
/// variance; and what the running statistics become: `(1 - momentum) running + momentum batch`, the variance of the batch
/// unbiased (divided by one value less).
///
/// x is `[n, c, ..]`, the result alike; statistics, weight and bias are `[c]`. Running statistics are given and returned
/// (mean, then variance) both or not at all.
/// It is [torch.nn.functional.batch_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html)
/// with `training=True`, which writes the new statistics into the old ones; here nothing is overwritten.
///
/// # Errors
/// The shapes do not fit each other; a channel has one value; one of the running statistics is given.
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

/// Each slice over the last axes by its own statistics: `y = (x - mean) / sqrt(var + eps) weight + bias` with the biased
/// variance.
///
/// x is `[.., normalized_shape..]`, the result alike; weight and bias have the normalized shape. Without a weight it is 1,
/// without a bias 0.
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

/// Each group of neighbouring channels of each image by its own statistics: `y = (x - mean) / sqrt(var + eps) weight +
/// bias` with the biased variance.
///
/// x is `[n, c, ..]`, the result alike; weight and bias are `[c]`, one value per channel. Without a weight it is 1, without
/// a bias 0.
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

/// Each channel of each image by its own statistics: `y = (x - mean) / sqrt(var + eps) weight + bias` with the biased
/// variance.
///
/// x is `[n, c, ..]`, the result alike; weight and bias are `[c]`. Without a weight it is 1, without a bias 0.
/// It is [torch.nn.functional.instance_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html)
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

/// Each value damped by its neighbours in other channels: `y = x (k + alpha / size sum of x^2)^-beta`, the sum over `size`
/// channels around the value's own (of an even size one more below), absent ones 0.
///
/// x is `[n, c, ..]`, the result alike. PyTorch's defaults are alpha 1e-4, beta 0.75, k 1.
/// [torch.nn.functional.local_response_norm](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.local_response_norm.html)
///
/// # Errors
/// x has no channel axis; size is 0; k is not above 0 or alpha is below 0.
pub fn local_response_norm(x: &DeviceTensor, size: usize, alpha: f32, beta: f32, k: f32) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.local_response_norm(ids[0], size, alpha, beta, k))
}

/// Vectors along an axis brought to norm 1: `y = x / max(norm(x), eps)` with the norm of order p, as [`norm`](super::norm)
/// has it.
///
/// x has any shape, the result has the same. PyTorch's defaults are p 2, dim 1, eps 1e-12.
/// [torch.nn.functional.normalize](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html)
///
/// # Errors
/// The axis is outside the tensor.
pub fn normalize(x: &DeviceTensor, p: f32, dim: i64, eps: f32) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.normalize(ids[0], p, dim, eps))
}

/// Shares of a whole along an axis: `y = e^x / sum of e^x`; -inf has no share.
///
/// x has any shape, the result has the same.
/// [torch.nn.functional.softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html)
///
/// # Errors
/// The axis is outside the tensor.
pub fn softmax(x: &DeviceTensor, dim: i64) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.softmax(ids[0], dim))
}

/// The logarithm of [`softmax`], without its loss of digits: `y = x - log(sum of e^x)`.
///
/// x has any shape, the result has the same.
/// [torch.nn.functional.log_softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html)
///
/// # Errors
/// The axis is outside the tensor.
pub fn log_softmax(x: &DeviceTensor, dim: i64) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.log_softmax(ids[0], dim))
}

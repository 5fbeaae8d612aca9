//! Convolution and linear layers.

use super::run_named;
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::{Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions};

fn with_bias<'a>(x: &'a DeviceTensor, w: &'a DeviceTensor, bias: Option<&'a DeviceTensor>) -> Vec<&'a DeviceTensor> {
    [x, w].into_iter().chain(bias).collect()
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html>
///
/// x is `[n, ic, h, w]`, the weight `[oc, ic / groups, kh, kw]`, the bias `[oc]`.
///
/// # Errors
/// The shapes do not fit each other or the options.
pub fn conv2d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: &Conv2dOptions,
) -> Result<DeviceTensor> {
    let inputs = with_bias(x, weight, bias);
    run_named(&format!("conv2d{options:?}"), &inputs, |g, ids| g.conv2d(ids[0], ids[1], ids.get(2).copied(), options))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html>
///
/// x is `[n, ic, l]`, the weight `[oc, ic / groups, k]`, the bias `[oc]`.
///
/// # Errors
/// The shapes do not fit each other or the options.
pub fn conv1d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: &Conv1dOptions,
) -> Result<DeviceTensor> {
    let inputs = with_bias(x, weight, bias);
    run_named(&format!("conv1d{options:?}"), &inputs, |g, ids| g.conv1d(ids[0], ids[1], ids.get(2).copied(), options))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html>
///
/// x is `[.., in]`, the weight `[out, in]`, the bias `[out]`.
///
/// # Errors
/// The shapes do not fit each other.
pub fn linear(x: &DeviceTensor, weight: &DeviceTensor, bias: Option<&DeviceTensor>) -> Result<DeviceTensor> {
    run_named("linear", &with_bias(x, weight, bias), |g, ids| g.linear(ids[0], ids[1], ids.get(2).copied()))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html>
///
/// x is `[n, ic, h, w]`, the weight `[ic, oc / groups, kh, kw]`, the bias `[oc]`.
///
/// # Errors
/// The shapes do not fit each other or the options.
pub fn conv_transpose2d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: &ConvTranspose2dOptions,
) -> Result<DeviceTensor> {
    let inputs = with_bias(x, weight, bias);
    run_named(&format!("conv_transpose2d{options:?}"), &inputs, |g, ids| {
        g.conv_transpose2d(ids[0], ids[1], ids.get(2).copied(), options)
    })
}

//! Convolutions and matrix products.

use super::eager::{Given, run, run_all, run_with};
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::options::{
    Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions, DeformConv2dOptions,
};

/// Cross-correlation of images: `y[n, o, i, j] = bias[o] + sum over c, u, v of weight[o, c, u, v] x[n, c, sy i + dy u - py,
/// sx j + dx v - px]`, zeros (or what `padding_mode` says) outside the image.
///
/// x is `[n, ic, h, w]`, the weight `[oc, ic / groups, kh, kw]`, the bias `[oc]`, the result `[n, oc, oh, ow]` with
/// `oh = (h + top + bottom - dy (kh - 1) - 1) / sy + 1` rounded down, `ow` likewise.
/// [torch.nn.functional.conv2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html)
///
/// # Errors
/// The shapes do not fit each other or the options; the padded image is smaller than the kernel; padding `Same` with a
/// stride.
pub fn conv2d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: Conv2dOptions,
) -> Result<DeviceTensor> {
    with_bias(x, weight, bias, |g, [x, w], bias| g.conv2d(x, w, bias, options))
}

/// Cross-correlation of signals: `y[n, o, i] = bias[o] + sum over c, u of weight[o, c, u] x[n, c, s i + d u - p]`, zeros
/// (or what `padding_mode` says) outside the signal.
///
/// x is `[n, ic, l]`, the weight `[oc, ic / groups, k]`, the bias `[oc]`, the result `[n, oc, ol]` with
/// `ol = (l + left + right - d (k - 1) - 1) / s + 1` rounded down.
/// [torch.nn.functional.conv1d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv1d.html)
///
/// # Errors
/// The shapes do not fit each other or the options; the padded signal is shorter than the kernel; padding `Same` with a
/// stride.
pub fn conv1d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: Conv1dOptions,
) -> Result<DeviceTensor> {
    with_bias(x, weight, bias, |g, [x, w], bias| g.conv1d(x, w, bias, options))
}

/// Cross-correlation of volumes: [`conv2d`] with a third axis, the depth, before the others.
///
/// x is `[n, ic, d, h, w]`, the weight `[oc, ic / groups, kd, kh, kw]`, the bias `[oc]`, the result `[n, oc, od, oh, ow]` with
/// `od = (d + front + back - dz (kd - 1) - 1) / sz + 1` rounded down, `oh` and `ow` likewise. A kernel that covers all three
/// axes takes two copies of x for each of its slices.
/// [torch.nn.functional.conv3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv3d.html)
///
/// # Errors
/// The shapes do not fit each other or the options; the padded volume is smaller than the kernel; padding `Same` with a
/// stride.
pub fn conv3d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: Conv3dOptions,
) -> Result<DeviceTensor> {
    with_bias(x, weight, bias, |g, [x, w], bias| g.conv3d(x, w, bias, options))
}

/// Transposed convolution of images, the gradient of [`conv2d`] with respect to its input: every x is multiplied by the
/// kernel, and the products are added up where kernels overlap, `stride` apart.
///
/// x is `[n, ic, h, w]`, the weight `[ic, oc / groups, kh, kw]`, the bias `[oc]`, the result `[n, oc, oh, ow]` with
/// `oh = (h - 1) sy - 2 py + dy (kh - 1) + output_padding + 1`, `ow` likewise.
/// [torch.nn.functional.conv_transpose2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html)
///
/// # Errors
/// The shapes do not fit each other or the options; the output padding is not smaller than the stride or the dilation.
pub fn conv_transpose2d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: ConvTranspose2dOptions,
) -> Result<DeviceTensor> {
    with_bias(x, weight, bias, |g, [x, w], bias| g.conv_transpose2d(x, w, bias, options))
}

/// Transposed convolution of volumes: [`conv_transpose2d`] with a third axis, the depth, before the others.
///
/// x is `[n, ic, d, h, w]`, the weight `[ic, oc / groups, kd, kh, kw]`, the bias `[oc]`, the result `[n, oc, od, oh, ow]` with
/// `od = (d - 1) sz - 2 pz + dz (kd - 1) + output_padding + 1`, `oh` and `ow` likewise. A kernel that covers all three axes takes
/// two copies of as many slices of x as the result has, for each of its own.
/// [torch.nn.functional.conv_transpose3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose3d.html)
///
/// # Errors
/// The shapes do not fit each other or the options; the output padding is not smaller than the stride or the dilation.
pub fn conv_transpose3d(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    options: ConvTranspose3dOptions,
) -> Result<DeviceTensor> {
    with_bias(x, weight, bias, |g, [x, w], bias| g.conv_transpose3d(x, w, bias, options))
}

/// `y = x weight^T + bias` over the last axis.
///
/// x is `[.., in]`, the weight `[out, in]`, the bias `[out]`, the result `[.., out]`.
/// [torch.nn.functional.linear](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html)
///
/// # Errors
/// The shapes do not fit each other.
pub fn linear(x: &DeviceTensor, weight: &DeviceTensor, bias: Option<&DeviceTensor>) -> Result<DeviceTensor> {
    with_bias(x, weight, bias, |g, [x, w], bias| g.linear(x, w, bias))
}

/// The matrix product: `y[.., i, j] = sum over k of a[.., i, k] b[.., k, j]`.
///
/// a is `[.., m, k]`, b is `[.., k, n]`, the result `[.., m, n]`, the leading axes broadcast. An operand of one axis is
/// a row vector on the left and a column vector on the right; that axis is not in the result. Both are f32, or integers of one
/// type, whose sums keep its low bits.
/// [torch.matmul](https://docs.pytorch.org/docs/stable/generated/torch.matmul.html)
///
/// # Errors
/// The shapes do not fit each other; an operand is a scalar; the types differ, or are other ones.
pub fn matmul(a: &DeviceTensor, b: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[a, b], |g, ids| g.matmul(ids[0], ids[1]))
}

/// A convolution whose taps are moved: tap (u, v) of output (i, j) reads x between the pixels about
/// `(sy i + dy u - py, sx j + dx v - px)` plus its offset, zeros beyond the image, times its mask.
///
/// x is `[n, ic, h, w]`, the weight `[oc, ic / groups, kh, kw]`, the bias `[oc]`. The offsets are `[n, offset_groups kh kw 2, oh,
/// ow]`, vertical before horizontal, the mask `[n, offset_groups kh kw, oh, ow]`; the result is `[n, oc, oh, ow]`. The shapes
/// tell the groups. A NaN among the offsets gives NaN.
/// [torchvision.ops.deform_conv2d](https://docs.pytorch.org/vision/stable/generated/torchvision.ops.deform_conv2d.html)
///
/// ```
/// use convgpu::functional::{DeformConv2dOptions, deform_conv2d};
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::new([1, 1, 1, 2], vec![1.0f32, 3.0])?.to_device(&device)?;
/// // The second pixel is read half a pixel to the left.
/// let offset = Tensor::new([1, 2, 1, 2], vec![0.0f32, 0.0, 0.0, -0.5])?.to_device(&device)?;
/// let weight = Tensor::full([1, 1, 1, 1], 10.0f32).to_device(&device)?;
/// let y = deform_conv2d(&x, &offset, &weight, None, None, DeformConv2dOptions::new())?;
/// assert_eq!(y.to_host()?.as_f32()?, [10.0, 20.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The shapes do not fit.
pub fn deform_conv2d(
    x: &DeviceTensor,
    offset: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    mask: Option<&DeviceTensor>,
    options: DeformConv2dOptions,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(x), Some(offset), Some(weight), bias, mask]);
    let build = |g: &mut Graph, ids: &[ValueId]| {
        let values = given.values(ids);
        Ok(vec![g.deform_conv2d(ids[0], ids[1], ids[2], values[3], values[4], options)?])
    };
    Ok(run_all(&given.tensors, build)?.remove(0))
}

/// The determinants of square matrices, of 32 rows at most; a NaN in one gives NaN.
///
/// x is `[.., n, n]`, the result `[..]`.
/// [torch.linalg.det](https://docs.pytorch.org/docs/stable/generated/torch.linalg.det.html)
///
/// ```
/// use convgpu::functional::det;
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::from([[1.0f32, 2.0], [3.0, 5.0]]).to_device(&Device::cpu())?;
/// assert!((det(&x)?.to_host()?.as_f32()?[0] + 1.0).abs() < 1e-6);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The matrices are not square, or have more than 32 rows.
pub fn det(x: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.det(ids[0]))
}

fn with_bias(
    x: &DeviceTensor,
    weight: &DeviceTensor,
    bias: Option<&DeviceTensor>,
    build: impl Fn(&mut Graph, [ValueId; 2], Option<ValueId>) -> Result<ValueId>,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(x), Some(weight), bias]);
    let mut build = |g: &mut Graph, ids: &[ValueId]| Ok(vec![build(g, [ids[0], ids[1]], given.values(ids)[2])?]);
    Ok(run_with(&given.tensors, 1..given.tensors.len(), &mut build)?.remove(0))
}

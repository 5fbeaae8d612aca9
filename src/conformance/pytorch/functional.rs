//! A case of a function of `torch.nn.functional`, or of `torch`, as a call of the function of its name.

use super::Golden;
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::functional::*;
use crate::tensor::Tensor;

/// The outputs of the function, in the order of the case.
pub fn call(golden: &Golden, device: &Device) -> Result<Vec<DeviceTensor>> {
    let p = &golden.params;
    let optional =
        |role: &str| golden.get(role).map(|tensor| as_given(golden, role, tensor)?.to_device(device)).transpose();
    let t = |role: &str| as_given(golden, role, golden.tensor(role)?)?.to_device(device);
    let ab = |f: fn(&DeviceTensor, &DeviceTensor) -> Result<DeviceTensor>| f(&t("a")?, &t("b")?);
    let reduce =
        |f: fn(&DeviceTensor, &[i64], bool) -> Result<DeviceTensor>| f(&t("x")?, &p.axes("dim")?, p.bool("keepdim")?);
    let (bias, scale) = (optional("bias")?, optional("weight")?);
    let (bias, scale) = (bias.as_ref(), scale.as_ref());
    let one = match golden.op.as_str() {
        "conv1d" => {
            let o = Conv1dOptions::new().stride(p.usize("stride")?).padding(p.signal_padding()?);
            let o = o.dilation(p.usize("dilation")?).groups(p.usize("groups")?);
            // The oldest cases have no mode: they are padded by zeros.
            let mode =
                if p.value("padding_mode").is_null() { PaddingMode::Zeros } else { p.padding_mode("padding_mode")? };
            conv1d(&t("x")?, &t("weight")?, bias, o.padding_mode(mode))
        }
        "conv2d" => {
            let o = Conv2dOptions::new().stride(p.pair("stride")?).dilation(p.pair("dilation")?);
            let o = o.padding(p.image_padding()?).groups(p.usize("groups")?);
            conv2d(&t("x")?, &t("weight")?, bias, o.padding_mode(p.padding_mode("padding_mode")?))
        }
        "conv3d" => {
            let o = Conv3dOptions::new().stride(p.triple("stride")?).dilation(p.triple("dilation")?);
            let o = o.padding(p.volume_padding()?).groups(p.usize("groups")?);
            conv3d(&t("x")?, &t("weight")?, bias, o.padding_mode(p.padding_mode("padding_mode")?))
        }
        "conv_transpose2d" => {
            let o = ConvTranspose2dOptions::new().stride(p.pair("stride")?).padding(p.pair("padding")?);
            let o = o.output_padding(p.pair("output_padding")?).dilation(p.pair("dilation")?);
            conv_transpose2d(&t("x")?, &t("weight")?, bias, o.groups(p.usize("groups")?))
        }
        "conv_transpose3d" => {
            let o = ConvTranspose3dOptions::new().stride(p.triple("stride")?).padding(p.triple("padding")?);
            let o = o.output_padding(p.triple("output_padding")?).dilation(p.triple("dilation")?);
            conv_transpose3d(&t("x")?, &t("weight")?, bias, o.groups(p.usize("groups")?))
        }
        "deform_conv2d" => {
            let o = DeformConv2dOptions::new().stride(p.pair("stride")?).padding(p.pair("padding")?);
            let mask = optional("mask")?;
            deform_conv2d(&t("x")?, &t("offset")?, &t("weight")?, bias, mask.as_ref(), o.dilation(p.pair("dilation")?))
        }
        "det" => det(&t("x")?),
        "linear" => linear(&t("x")?, &t("weight")?, bias),
        "matmul" => ab(matmul),
        "scaled_dot_product_attention" => {
            let o = AttentionOptions::new().is_causal(p.bool("is_causal")?).scale(p.f32_or_none("scale")?);
            let (mask, o) = (optional("attn_mask")?, o.enable_gqa(p.bool("enable_gqa")?));
            scaled_dot_product_attention(&t("query")?, &t("key")?, &t("value")?, mask.as_ref(), o)
        }
        "max_pool2d" => {
            let (values, indices) = max_pool2d_with_indices(&t("x")?, p.pair("kernel_size")?, p.max_pool()?)?;
            return Ok(vec![values, indices]);
        }
        "max_unpool2d" => {
            let indices = t("indices")?;
            max_unpool2d(&t("x")?, &indices, p.pair("kernel_size")?, p.max_unpool2d()?)
        }
        "fold" => {
            let o = FoldOptions::new().stride(p.pair("stride")?).padding(p.pair("padding")?);
            fold(&t("x")?, p.pair("output_size")?, p.pair("kernel_size")?, o.dilation(p.pair("dilation")?))
        }
        "avg_pool2d" => avg_pool2d(&t("x")?, p.pair("kernel_size")?, p.avg_pool()?),
        "max_pool3d" => max_pool3d(&t("x")?, p.triple("kernel_size")?, p.max_pool3d()?),
        "avg_pool3d" => avg_pool3d(&t("x")?, p.triple("kernel_size")?, p.avg_pool3d()?),
        "lp_pool2d" => {
            let kernel = p.pair("kernel_size")?;
            lp_pool2d(&t("x")?, p.f32("norm_type")?, kernel, p.lp_pool()?)
        }
        "lp_pool3d" => lp_pool3d(&t("x")?, p.f32("norm_type")?, p.triple("kernel_size")?, p.lp_pool3d()?),
        "adaptive_avg_pool3d" => adaptive_avg_pool3d(&t("x")?, p.triple("output_size")?),
        "adaptive_max_pool3d" => adaptive_max_pool3d(&t("x")?, p.triple("output_size")?),
        "adaptive_avg_pool2d" => adaptive_avg_pool2d(&t("x")?, p.pair("output_size")?),
        "adaptive_max_pool2d" => adaptive_max_pool2d(&t("x")?, p.pair("output_size")?),
        "interpolate" => interpolate(&t("x")?, p.interpolate()?),
        "grid_sample" => grid_sample(&t("x")?, &t("grid")?, p.grid_sample()?),
        "affine_grid" => affine_grid(&t("theta")?, &p.sizes("size")?, p.bool("align_corners")?),
        "roi_align" => roi_align(&t("x")?, &t("boxes")?, p.pair("output_size")?, p.roi_align()?),
        "roi_pool" => roi_pool(&t("x")?, &t("boxes")?, p.pair("output_size")?, p.f32("spatial_scale")?),
        "pad" => {
            let mode = match p.str("mode")? {
                "constant" => PadMode::Constant(p.f32_or_none("value")?.unwrap_or(0.0).into()),
                "reflect" => PadMode::Reflect,
                "replicate" => PadMode::Replicate,
                "circular" => PadMode::Circular,
                _ => return Err(p.wrong("mode")),
            };
            pad(&t("x")?, &p.integers("pad")?, mode)
        }
        "pixel_shuffle" => pixel_shuffle(&t("x")?, p.usize("upscale_factor")?),
        "pixel_unshuffle" => pixel_unshuffle(&t("x")?, p.usize("downscale_factor")?),
        "batch_norm" => {
            let (mean, var) = (t("running_mean")?, t("running_var")?);
            batch_norm(&t("x")?, &mean, &var, scale, bias, p.f32("eps")?)
        }
        "batch_norm_training" => {
            let (mean, var) = (optional("running_mean")?, optional("running_var")?);
            let (momentum, eps) = (p.f32("momentum")?, p.f32("eps")?);
            let (y, new) = batch_norm_training(&t("x")?, mean.as_ref(), var.as_ref(), scale, bias, momentum, eps)?;
            return Ok([y].into_iter().chain(new.into_iter().flatten()).collect());
        }
        "layer_norm" => layer_norm(&t("x")?, &p.sizes("normalized_shape")?, scale, bias, p.f32("eps")?),
        "group_norm" => group_norm(&t("x")?, p.usize("num_groups")?, scale, bias, p.f32("eps")?),
        "instance_norm" => instance_norm(&t("x")?, scale, bias, p.f32("eps")?),
        "local_response_norm" => {
            let (alpha, beta, k) = (p.f32("alpha")?, p.f32("beta")?, p.f32("k")?);
            local_response_norm(&t("x")?, p.usize("size")?, alpha, beta, k)
        }
        "normalize" => normalize(&t("x")?, p.f32("p")?, p.i64("dim")?, p.f32("eps")?),
        "softmax" => softmax(&t("x")?, p.i64("dim")?),
        "log_softmax" => log_softmax(&t("x")?, p.i64("dim")?),
        "relu" => relu(&t("x")?),
        "relu6" => relu6(&t("x")?),
        "leaky_relu" => leaky_relu(&t("x")?, p.f32("negative_slope")?),
        "elu" => elu(&t("x")?, p.f32("alpha")?),
        "selu" => selu(&t("x")?),
        "celu" => celu(&t("x")?, p.f32("alpha")?),
        "gelu" => gelu(&t("x")?, p.approximate("approximate")?),
        "sigmoid" => sigmoid(&t("x")?),
        "tanh" => tanh(&t("x")?),
        "hardsigmoid" => hardsigmoid(&t("x")?),
        "hardswish" => hardswish(&t("x")?),
        "silu" => silu(&t("x")?),
        "mish" => mish(&t("x")?),
        "softplus" => softplus(&t("x")?, p.f32("beta")?, p.f32("threshold")?),
        "softsign" => softsign(&t("x")?),
        "threshold" => threshold(&t("x")?, p.f32("threshold")?, p.f32("value")?),
        "clamp" => clamp(&t("x")?, p.f32_or_none("min")?, p.f32_or_none("max")?),
        "fake_quantize_per_tensor_affine" => {
            let integer = |name: &str| p.i64(name).map(|v| v as i32);
            let (low, high) = (integer("quant_min")?, integer("quant_max")?);
            fake_quantize_per_tensor_affine(&t("x")?, p.f32("scale")?, integer("zero_point")?, low, high)
        }
        "exp" => exp(&t("x")?),
        "log" => log(&t("x")?),
        "sqrt" => sqrt(&t("x")?),
        "reciprocal" => reciprocal(&t("x")?),
        "abs" => abs(&t("x")?),
        "neg" => neg(&t("x")?),
        "floor" => floor(&t("x")?),
        "ceil" => ceil(&t("x")?),
        "round" => round(&t("x")?),
        "sign" => sign(&t("x")?),
        "erf" => erf(&t("x")?),
        "sin" => sin(&t("x")?),
        "cos" => cos(&t("x")?),
        "tan" => tan(&t("x")?),
        "asin" => asin(&t("x")?),
        "acos" => acos(&t("x")?),
        "atan" => atan(&t("x")?),
        "sinh" => sinh(&t("x")?),
        "cosh" => cosh(&t("x")?),
        "asinh" => asinh(&t("x")?),
        "acosh" => acosh(&t("x")?),
        "atanh" => atanh(&t("x")?),
        "prelu" => prelu(&t("x")?, &t("weight")?),
        "add" => ab(add),
        "sub" => ab(sub),
        "mul" => ab(mul),
        "div" => ab(div),
        "maximum" => ab(maximum),
        "minimum" => ab(minimum),
        "pow" => ab(pow),
        "remainder" => ab(remainder),
        "fmod" => ab(fmod),
        "eq" => ab(eq),
        "lt" => ab(lt),
        "gt" => ab(gt),
        "le" => ab(le),
        "ge" => ab(ge),
        "logical_and" => ab(logical_and),
        "logical_or" => ab(logical_or),
        "logical_xor" => ab(logical_xor),
        "bitwise_and" => ab(bitwise_and),
        "bitwise_or" => ab(bitwise_or),
        "bitwise_xor" => ab(bitwise_xor),
        "bitwise_left_shift" => ab(bitwise_left_shift),
        "bitwise_right_shift" => ab(bitwise_right_shift),
        "bitwise_not" => bitwise_not(&t("x")?),
        "where" => where_(&t("condition")?, &t("a")?, &t("b")?),
        "sum" => reduce(sum),
        "mean" => reduce(mean),
        "amax" => reduce(amax),
        "amin" => reduce(amin),
        "prod" => reduce(prod),
        "logsumexp" => reduce(logsumexp),
        "norm" => norm(&t("x")?, p.f32("p")?, &p.axes("dim")?, p.bool("keepdim")?),
        "argmax" => argmax(&t("x")?, p.value("dim").as_i64(), p.bool("keepdim")?),
        "argmin" => argmin(&t("x")?, p.value("dim").as_i64(), p.bool("keepdim")?),
        "topk" => {
            let (values, indices) = topk(&t("x")?, p.usize("k")?, p.i64("dim")?, p.bool("largest")?)?;
            return Ok(vec![values, indices]);
        }
        "cat" => {
            let parts = golden.inputs.iter().map(|role| t(role)).collect::<Result<Vec<_>>>()?;
            cat(&parts.iter().collect::<Vec<_>>(), p.i64("dim")?)
        }
        "split" => {
            let each = || p.usize("sizes").map(SplitSizes::Each);
            let parts = if p.value("sizes").is_array() { SplitSizes::Sections(p.sizes("sizes")?) } else { each()? };
            return split(&t("x")?, parts, p.i64("dim")?);
        }
        "narrow" => narrow(&t("x")?, p.i64("dim")?, p.i64("start")?, p.usize("length")?),
        "index_select" => index_select(&t("x")?, p.i64("dim")?, &t("index")?),
        "expand" => expand(&t("x")?, &p.integers("size")?),
        "tile" => tile(&t("x")?, &p.sizes("dims")?),
        "permute" => permute(&t("x")?, &p.integers("dims")?),
        "transpose" => transpose(&t("x")?, p.i64("dim0")?, p.i64("dim1")?),
        "flatten" => flatten(&t("x")?, p.i64("start_dim")?, p.i64("end_dim")?),
        "reshape" => reshape(&t("x")?, &p.integers("shape")?),
        other => return Err(Error::argument(format!("there is no function {other}"))),
    };
    Ok(vec![one?])
}

/// The tensor as PyTorch got it: the file has no booleans.
pub(super) fn as_given(golden: &Golden, role: &str, tensor: &Tensor) -> Result<Tensor> {
    let masks = role.ends_with("mask") && golden.params.value("mask_dtype") == "bool";
    let boolean = role == "condition" || masks || golden.params.value("input_dtype") == "bool";
    match boolean {
        true => Tensor::new(tensor.shape(), tensor.iter_f64s().map(|v| v != 0.0).collect::<Vec<_>>()),
        false => Ok(tensor.clone()),
    }
}

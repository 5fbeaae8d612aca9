//! A case of a layer of `torch.nn`, as a call of the layer of its name.

use super::{Golden, Params};
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::nn::*;

/// The output of the layer, and in training the buffers after the call, by name.
pub fn call(golden: &Golden, device: &Device) -> Result<Vec<(String, DeviceTensor)>> {
    let mut module = make(&golden.op, &golden.params)?;
    // The state dict has the same entries as PyTorch's.
    module.load_state_dict(&golden.state())?;
    let training = golden.params.bool("training")?;
    module.set_training(training);
    let x = golden.tensor("x")?.to_device(device)?;
    if !training {
        return Ok(vec![("out".to_owned(), module.forward(&x)?)]);
    }
    let mut outputs = vec![("out".to_owned(), module.forward_train(&x)?)];
    let after = module.state_dict();
    for name in golden.outputs.iter().filter_map(|role| role.strip_prefix("new_state.")) {
        let buffer = after.get(name).ok_or_else(|| Error::argument(format!("{} has no buffer {name}", golden.op)))?;
        outputs.push((name.to_owned(), buffer.to_device(device)?));
    }
    Ok(outputs)
}

/// A recurrent layer with the options that all of them have.
macro_rules! recurrent {
    ($p:ident, $layer:expr) => {{
        let layer = $layer.num_layers($p.usize("num_layers")?).bias($p.bool("bias")?);
        Box::new(layer.batch_first($p.bool("batch_first")?).bidirectional($p.bool("bidirectional")?))
    }};
}

/// The layer of a name in `torch.nn` with the arguments of its constructor.
fn make(op: &str, p: &Params) -> Result<Box<dyn Module>> {
    Ok(match op {
        "Conv1d" => {
            let conv = Conv1d::new(p.usize("in_channels")?, p.usize("out_channels")?, p.usize("kernel_size")?)
                .stride(p.usize("stride")?);
            let conv = conv
                .padding(p.signal_padding()?)
                .padding_mode(p.padding_mode("padding_mode")?)
                .dilation(p.usize("dilation")?);
            Box::new(conv.groups(p.usize("groups")?).bias(p.bool("bias")?))
        }
        "Conv2d" => {
            let conv = Conv2d::new(p.usize("in_channels")?, p.usize("out_channels")?, p.pair("kernel_size")?)
                .stride(p.pair("stride")?);
            let conv = conv
                .padding(p.image_padding()?)
                .padding_mode(p.padding_mode("padding_mode")?)
                .dilation(p.pair("dilation")?);
            Box::new(conv.groups(p.usize("groups")?).bias(p.bool("bias")?))
        }
        "Conv3d" => {
            let conv = Conv3d::new(p.usize("in_channels")?, p.usize("out_channels")?, p.triple("kernel_size")?)
                .stride(p.triple("stride")?);
            let conv = conv
                .padding(p.volume_padding()?)
                .padding_mode(p.padding_mode("padding_mode")?)
                .dilation(p.triple("dilation")?);
            Box::new(conv.groups(p.usize("groups")?).bias(p.bool("bias")?))
        }
        "ConvTranspose2d" => {
            let conv = ConvTranspose2d::new(p.usize("in_channels")?, p.usize("out_channels")?, p.pair("kernel_size")?);
            let conv =
                conv.stride(p.pair("stride")?).padding(p.pair("padding")?).output_padding(p.pair("output_padding")?);
            Box::new(conv.groups(p.usize("groups")?).bias(p.bool("bias")?).dilation(p.pair("dilation")?))
        }
        "ConvTranspose3d" => {
            let (inputs, outputs) = (p.usize("in_channels")?, p.usize("out_channels")?);
            let conv = ConvTranspose3d::new(inputs, outputs, p.triple("kernel_size")?);
            let conv = conv
                .stride(p.triple("stride")?)
                .padding(p.triple("padding")?)
                .output_padding(p.triple("output_padding")?);
            Box::new(conv.groups(p.usize("groups")?).bias(p.bool("bias")?).dilation(p.triple("dilation")?))
        }
        "Linear" => Box::new(Linear::new(p.usize("in_features")?, p.usize("out_features")?).bias(p.bool("bias")?)),
        "BatchNorm1d" => {
            let norm =
                BatchNorm1d::new(p.usize("num_features")?).eps(p.f32("eps")?).momentum(p.f32_or_none("momentum")?);
            Box::new(norm.affine(p.bool("affine")?).track_running_stats(p.bool("track_running_stats")?))
        }
        "BatchNorm2d" => {
            let norm =
                BatchNorm2d::new(p.usize("num_features")?).eps(p.f32("eps")?).momentum(p.f32_or_none("momentum")?);
            Box::new(norm.affine(p.bool("affine")?).track_running_stats(p.bool("track_running_stats")?))
        }
        "BatchNorm3d" => {
            let norm =
                BatchNorm3d::new(p.usize("num_features")?).eps(p.f32("eps")?).momentum(p.f32_or_none("momentum")?);
            Box::new(norm.affine(p.bool("affine")?).track_running_stats(p.bool("track_running_stats")?))
        }
        "InstanceNorm2d" => {
            let norm = InstanceNorm2d::new(p.usize("num_features")?).eps(p.f32("eps")?).affine(p.bool("affine")?);
            // The oldest cases leave both at their defaults.
            match p.value("track_running_stats").as_bool() {
                Some(track) => Box::new(norm.momentum(p.f32_or_none("momentum")?).track_running_stats(track)),
                None => Box::new(norm),
            }
        }
        "InstanceNorm3d" => {
            let norm = InstanceNorm3d::new(p.usize("num_features")?).eps(p.f32("eps")?).affine(p.bool("affine")?);
            match p.value("track_running_stats").as_bool() {
                Some(track) => Box::new(norm.momentum(p.f32_or_none("momentum")?).track_running_stats(track)),
                None => Box::new(norm),
            }
        }
        "GroupNorm" => Box::new(
            GroupNorm::new(p.usize("num_groups")?, p.usize("num_channels")?)
                .eps(p.f32("eps")?)
                .affine(p.bool("affine")?),
        ),
        "LayerNorm" => {
            let norm = LayerNorm::new(p.sizes("normalized_shape")?).eps(p.f32("eps")?);
            Box::new(
                norm.elementwise_affine(p.bool("elementwise_affine")?).bias(p.value("bias").as_bool().unwrap_or(true)),
            )
        }
        "LocalResponseNorm" => Box::new(
            LocalResponseNorm::new(p.usize("size")?).alpha(p.f32("alpha")?).beta(p.f32("beta")?).k(p.f32("k")?),
        ),
        "MaxPool2d" => Box::new(MaxPool2d::new(p.pair("kernel_size")?).options(p.max_pool()?)),
        "AvgPool2d" => Box::new(AvgPool2d::new(p.pair("kernel_size")?).options(p.avg_pool()?)),
        "MaxPool3d" => Box::new(MaxPool3d::new(p.triple("kernel_size")?).options(p.max_pool3d()?)),
        "AvgPool3d" => Box::new(AvgPool3d::new(p.triple("kernel_size")?).options(p.avg_pool3d()?)),
        "LPPool2d" => Box::new(LPPool2d::new(p.f32("norm_type")?, p.pair("kernel_size")?).options(p.lp_pool()?)),
        "LPPool3d" => Box::new(LPPool3d::new(p.f32("norm_type")?, p.triple("kernel_size")?).options(p.lp_pool3d()?)),
        "AdaptiveAvgPool3d" => Box::new(AdaptiveAvgPool3d::new(p.triple("output_size")?)),
        "AdaptiveMaxPool3d" => Box::new(AdaptiveMaxPool3d::new(p.triple("output_size")?)),
        "AdaptiveAvgPool2d" => Box::new(AdaptiveAvgPool2d::new(p.pair("output_size")?)),
        "AdaptiveMaxPool2d" => Box::new(AdaptiveMaxPool2d::new(p.pair("output_size")?)),
        "Upsample" => Box::new(Upsample::new().options(p.interpolate()?)),
        "PixelShuffle" => Box::new(PixelShuffle::new(p.usize("upscale_factor")?)),
        "PixelUnshuffle" => Box::new(PixelUnshuffle::new(p.usize("downscale_factor")?)),
        "ZeroPad2d" => Box::new(ZeroPad2d::new(p.sides("padding")?)),
        "ReflectionPad2d" => Box::new(ReflectionPad2d::new(p.sides("padding")?)),
        "ReplicationPad2d" => Box::new(ReplicationPad2d::new(p.sides("padding")?)),
        "CircularPad2d" => Box::new(CircularPad2d::new(p.sides("padding")?)),
        "Flatten" => Box::new(Flatten::new().start_dim(p.i64("start_dim")?).end_dim(p.i64("end_dim")?)),
        "Softmax" => Box::new(Softmax::new(p.i64("dim")?)),
        "LogSoftmax" => Box::new(LogSoftmax::new(p.i64("dim")?)),
        "Identity" => Box::new(Identity),
        "Dropout" => Box::new(Dropout::new(p.f32("p")?)),
        "ReLU" => Box::new(ReLU),
        "ReLU6" => Box::new(ReLU6),
        "SELU" => Box::new(SELU),
        "Sigmoid" => Box::new(Sigmoid),
        "Tanh" => Box::new(Tanh),
        "Hardsigmoid" => Box::new(Hardsigmoid),
        "Hardswish" => Box::new(Hardswish),
        "SiLU" => Box::new(SiLU),
        "Mish" => Box::new(Mish),
        "Softsign" => Box::new(Softsign),
        "LeakyReLU" => Box::new(LeakyReLU::new().negative_slope(p.f32("negative_slope")?)),
        "ELU" => Box::new(ELU::new().alpha(p.f32("alpha")?)),
        "CELU" => Box::new(CELU::new().alpha(p.f32("alpha")?)),
        "GELU" => Box::new(GELU::new().approximate(p.approximate("approximate")?)),
        "Softplus" => Box::new(Softplus::new().beta(p.f32("beta")?).threshold(p.f32("threshold")?)),
        "Threshold" => Box::new(Threshold::new(p.f32("threshold")?, p.f32("value")?)),
        "PReLU" => Box::new(PReLU::new().num_parameters(p.usize("num_parameters")?)),
        "LSTM" => recurrent!(p, LSTM::new(p.usize("input_size")?, p.usize("hidden_size")?)),
        "GRU" => recurrent!(p, GRU::new(p.usize("input_size")?, p.usize("hidden_size")?)),
        "RNN" => {
            let rnn = RNN::new(p.usize("input_size")?, p.usize("hidden_size")?);
            recurrent!(p, if p.value("nonlinearity") == "relu" { rnn.relu() } else { rnn })
        }
        "Sequential" => {
            let add = |net: Sequential, (name, op, p): (String, String, Params)| Ok(net.named(name, make(&op, &p)?));
            Box::new(p.layers()?.into_iter().try_fold(Sequential::new(), add)?)
        }
        other => return Err(Error::argument(format!("there is no layer {other}"))),
    })
}

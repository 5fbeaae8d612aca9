//! Compares every case of the family `module` with the layer of its name: on the reference and on the test device,
//! within the bounds of the operators that ran (`traced`).

use std::collections::HashSet;

use convgpu::nn::*;
use serde_json::Value;

use crate::functional::{
    approximate, avg_pool_options, image_padding, integers, interpolate_options, lp_pool_options, max_pool_options,
    number, padding_mode, pair, signal_padding,
};
use crate::support::{Case, golden};
use crate::traced::{check, check_all};

/// The module of a name in `torch.nn` with the arguments of its constructor.
fn make(op: &str, p: &Value) -> Box<dyn Module> {
    let n = |name: &str| p[name].as_u64().unwrap_or_else(|| panic!("{name} in {p}")) as usize;
    let i = |name: &str| p[name].as_i64().unwrap_or_else(|| panic!("{name} in {p}"));
    let f = |name: &str| number(&p[name]);
    let b = |name: &str| p[name].as_bool().unwrap_or_else(|| panic!("{name} in {p}"));
    let pair = |name: &str| pair(&p[name]);
    let momentum = || p["momentum"].as_f64().map(|m| m as f32);
    let mode = || padding_mode(p["padding_mode"].as_str().unwrap());
    let shape = |name: &str| integers(&p[name]).into_iter().map(|v| v as usize).collect::<Vec<_>>();
    let sides = || <[i64; 4]>::try_from(integers(&p["padding"])).unwrap();
    match op {
        "Conv1d" => {
            let conv = Conv1d::new(n("in_channels"), n("out_channels"), n("kernel_size")).stride(n("stride"));
            let conv = conv.padding(signal_padding(&p["padding"])).padding_mode(mode()).dilation(n("dilation"));
            Box::new(conv.groups(n("groups")).bias(b("bias")))
        }
        "Conv2d" => {
            let conv = Conv2d::new(n("in_channels"), n("out_channels"), pair("kernel_size")).stride(pair("stride"));
            let conv = conv.padding(image_padding(&p["padding"])).padding_mode(mode()).dilation(pair("dilation"));
            Box::new(conv.groups(n("groups")).bias(b("bias")))
        }
        "ConvTranspose2d" => {
            let conv = ConvTranspose2d::new(n("in_channels"), n("out_channels"), pair("kernel_size"));
            let conv = conv.stride(pair("stride")).padding(pair("padding")).output_padding(pair("output_padding"));
            Box::new(conv.groups(n("groups")).bias(b("bias")).dilation(pair("dilation")))
        }
        "Linear" => Box::new(Linear::new(n("in_features"), n("out_features")).bias(b("bias"))),
        "BatchNorm1d" => {
            let norm = BatchNorm1d::new(n("num_features")).eps(f("eps")).momentum(momentum());
            Box::new(norm.affine(b("affine")).track_running_stats(b("track_running_stats")))
        }
        "BatchNorm2d" => {
            let norm = BatchNorm2d::new(n("num_features")).eps(f("eps")).momentum(momentum());
            Box::new(norm.affine(b("affine")).track_running_stats(b("track_running_stats")))
        }
        "InstanceNorm2d" => {
            let norm = InstanceNorm2d::new(n("num_features")).eps(f("eps")).affine(b("affine"));
            // The oldest cases leave both at their defaults.
            match p["track_running_stats"].as_bool() {
                Some(track) => Box::new(norm.momentum(momentum()).track_running_stats(track)),
                None => Box::new(norm),
            }
        }
        "GroupNorm" => Box::new(GroupNorm::new(n("num_groups"), n("num_channels")).eps(f("eps")).affine(b("affine"))),
        "LayerNorm" => {
            let norm = LayerNorm::new(shape("normalized_shape")).eps(f("eps"));
            Box::new(norm.elementwise_affine(b("elementwise_affine")).bias(p["bias"].as_bool().unwrap_or(true)))
        }
        "LocalResponseNorm" => Box::new(LocalResponseNorm::new(n("size")).alpha(f("alpha")).beta(f("beta")).k(f("k"))),
        "MaxPool2d" => Box::new(MaxPool2d::new(pair("kernel_size")).options(max_pool_options(p))),
        "AvgPool2d" => Box::new(AvgPool2d::new(pair("kernel_size")).options(avg_pool_options(p))),
        "LPPool2d" => Box::new(LPPool2d::new(f("norm_type"), pair("kernel_size")).options(lp_pool_options(p))),
        "AdaptiveAvgPool2d" => Box::new(AdaptiveAvgPool2d::new(pair("output_size"))),
        "AdaptiveMaxPool2d" => Box::new(AdaptiveMaxPool2d::new(pair("output_size"))),
        "Upsample" => Box::new(Upsample::new().options(interpolate_options(p))),
        "PixelShuffle" => Box::new(PixelShuffle::new(n("upscale_factor"))),
        "PixelUnshuffle" => Box::new(PixelUnshuffle::new(n("downscale_factor"))),
        "ZeroPad2d" => Box::new(ZeroPad2d::new(sides())),
        "ReflectionPad2d" => Box::new(ReflectionPad2d::new(sides())),
        "ReplicationPad2d" => Box::new(ReplicationPad2d::new(sides())),
        "CircularPad2d" => Box::new(CircularPad2d::new(sides())),
        "Flatten" => Box::new(Flatten::new().start_dim(i("start_dim")).end_dim(i("end_dim"))),
        "Softmax" => Box::new(Softmax::new(i("dim"))),
        "LogSoftmax" => Box::new(LogSoftmax::new(i("dim"))),
        "Identity" => Box::new(Identity),
        "Dropout" => Box::new(Dropout::new(f("p"))),
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
        "LeakyReLU" => Box::new(LeakyReLU::new().negative_slope(f("negative_slope"))),
        "ELU" => Box::new(ELU::new().alpha(f("alpha"))),
        "CELU" => Box::new(CELU::new().alpha(f("alpha"))),
        "GELU" => Box::new(GELU::new().approximate(approximate(p["approximate"].as_str().unwrap()))),
        "Softplus" => Box::new(Softplus::new().beta(f("beta")).threshold(f("threshold"))),
        "Threshold" => Box::new(Threshold::new(f("threshold"), f("value"))),
        "PReLU" => Box::new(PReLU::new().num_parameters(n("num_parameters"))),
        "Sequential" => {
            let layers = p["layers"].as_array().unwrap().iter();
            Box::new(layers.fold(Sequential::new(), |net, layer| {
                let text = |name: &str| layer[name].as_str().unwrap();
                net.named(text("name"), make(text("op"), &layer["params"]))
            }))
        }
        other => panic!("no module {other}"),
    }
}

/// The state of a case.
pub fn state(case: &Case) -> StateDict {
    let named = |role: &String| Some((role.strip_prefix("state.")?.to_owned(), case.get(role)?.clone()));
    case.inputs.iter().filter_map(named).collect()
}

#[test]
fn every_case_against_pytorch() {
    let cases = golden("module");
    let modules: HashSet<&str> = cases.iter().map(|c| c.op.as_str()).collect();
    assert_eq!((cases.len(), modules.len()), (866, 45));
    check_all(&cases, |case, device| {
        let mut module = make(&case.op, &case.params);
        // The state dict has the same entries as PyTorch's.
        module.load_state_dict(&state(case)).map_err(|e| e.to_string())?;
        let training = case.params["training"].as_bool().unwrap();
        module.set_training(training);
        let x = case.get("x").unwrap().to_device(device).unwrap();
        let named = |role: &String| {
            let name = role.strip_prefix("new_state.").unwrap_or(role).to_owned();
            (name, case.get(role).unwrap())
        };
        let expected: Vec<_> = case.outputs.iter().map(named).collect();
        let forward = || {
            if !training {
                return Ok(vec![module.forward(&x)?]);
            }
            let y = module.forward_train(&x)?;
            let after = module.state_dict();
            let new = expected[1..].iter().map(|(name, _)| after.get(name).unwrap().to_device(device));
            [Ok(y)].into_iter().chain(new).collect()
        };
        check(forward, &expected)
    });
}

//! Modules and functional forms against PyTorch's answers, on the reference and on the test device.

use crate::support::{Case, Rng, device, golden};
use convgpu::functional as f;
use convgpu::internals::options::{Conv1dOptions, Conv2dOptions, Padding, PaddingMode};
use convgpu::internals::verify::compare;
use convgpu::nn::{self, Module, Sequential};
use convgpu::{Device, ErrorKind, Tensor};

fn devices() -> [Device; 2] {
    [Device::cpu(), device().clone()]
}

/// Within `relative` of the largest expected magnitude.
fn assert_close(what: &str, actual: &Tensor, expected: &Tensor, relative: f32) {
    let largest = expected.to_f64s().into_iter().fold(0.0, |a: f64, v| a.max(v.abs())) as f32;
    let c = compare(actual, expected, &vec![largest * relative; expected.numel()]);
    assert!(c.ok(), "{what}: {c}");
}

/// The state that a case gives, without the prefix.
fn state(case: &Case, module: &dyn Module) -> Vec<(String, Tensor)> {
    let slots = module.state_dict();
    let take = |(name, own): (String, Tensor)| {
        let t = case.get(&format!("state.{name}")).unwrap_or_else(|| panic!("no {name}")).clone();
        // Golden integers are int32; num_batches_tracked is int64.
        let t = if t.dtype() == own.dtype() { t } else { Tensor::new(t.shape(), t.to_i64s().unwrap()).unwrap() };
        (name, t)
    };
    slots.into_iter().map(take).collect()
}

fn mlp() -> Sequential {
    let hidden = |net: Sequential, i, o| net.with(nn::Linear::new(i, o)).with(nn::ReLU);
    let net = hidden(hidden(hidden(Sequential::new(), 784, 256), 256, 256), 256, 256);
    net.with(nn::Linear::new(256, 10))
}

fn lenet5() -> Sequential {
    Sequential::new()
        .with(nn::Conv2d::new(1, 6, 5).padding(2))
        .with(nn::Tanh)
        .with(nn::AvgPool2d::new(2))
        .with(nn::Conv2d::new(6, 16, 5))
        .with(nn::Tanh)
        .with(nn::AvgPool2d::new(2))
        .with(nn::Flatten::new())
        .with(nn::Linear::new(400, 120))
        .with(nn::Tanh)
        .with(nn::Linear::new(120, 84))
        .with(nn::Tanh)
        .with(nn::Linear::new(84, 10))
}

fn unit() -> Sequential {
    Sequential::new()
        .with(nn::Conv2d::new(3, 16, 3).padding(1))
        .with(nn::BatchNorm2d::new(16))
        .with(nn::MaxPool2d::new(2))
        .with(nn::ReLU)
}

#[test]
fn networks_of_the_notebook() {
    let mut ran = 0;
    for case in golden("network") {
        for device in devices() {
            let mut net = match case.op.as_str() {
                "mlp_784_256_256_256_10" => mlp(),
                "lenet5" => lenet5(),
                "unit_conv_bn_pool_relu" => unit(),
                other => panic!("{other}"),
            };
            let training = case.outputs.len() > 1;
            if training {
                net.train()
            } else {
                net.eval()
            }
            net.load_state(&state(&case, &net)).unwrap();
            let x = case.get("x").unwrap().to_device(&device).unwrap();
            let y = net.forward(&x).unwrap().to_host().unwrap();
            assert_close(&format!("{} on {device}", case.op), &y, case.get("out").unwrap(), 2e-6);
            let after = net.state_dict();
            for name in case.outputs.iter().filter_map(|o| o.strip_prefix("new_state.")) {
                let actual = &after.iter().find(|(n, _)| n == name).unwrap().1;
                let expected = case.get(&format!("new_state.{name}")).unwrap();
                if name.ends_with("num_batches_tracked") {
                    assert_eq!(actual.to_i64s().unwrap(), expected.to_i64s().unwrap());
                } else {
                    assert_close(name, actual, expected, 1e-6);
                }
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 8);
}

#[test]
fn parameter_counts() {
    assert_eq!(mlp().num_parameters(), 335_114);
    assert_eq!(lenet5().num_parameters(), 61_706);
}

#[test]
fn batch_norm_modules_against_pytorch() {
    let mut ran = 0;
    for case in golden("norm").into_iter().filter(|c| c.op == "batch_norm") {
        for device in devices() {
            let x = case.get("x").unwrap();
            let c = x.shape()[1];
            let momentum = case.params["momentum"].as_f64().map(|m| m as f32);
            macro_rules! module {
                ($layer:ident) => {{
                    let m = nn::$layer::new(c).eps(case.f32("eps")).momentum(momentum);
                    let m = m.affine(case.bool("affine")).track_running_stats(case.bool("track_running_stats"));
                    Box::new(m) as Box<dyn Module>
                }};
            }
            let mut net = if x.shape().len() == 4 { module!(BatchNorm2d) } else { module!(BatchNorm1d) };
            net.set_training(case.bool("training"));
            for (name, slot) in net.slots_mut() {
                if let Some(t) = case.get(&name) {
                    slot.set(t.clone());
                }
            }
            let x = x.to_device(&device).unwrap();
            let mut y = None;
            for _ in 0..case.usize("steps") {
                y = Some(net.forward(&x).unwrap().to_host().unwrap());
            }
            let what = format!("case {} {} on {device}", case.id, case.params);
            // Conditioning: the input's rounding to f32 is part of the case, the mean's of 1000 sigmas is not.
            assert_close(&what, &y.unwrap(), case.get("out").unwrap(), if case.id == "009" { 1e-3 } else { 4e-6 });
            for (name, slot) in net.slots() {
                if let Some(expected) = case.get(&format!("new_{name}")) {
                    assert_close(&format!("{what} {name}"), slot.tensor(), expected, 1e-6);
                }
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 22);
}

/// The cases that are functional forms: 'same', the padding modes, conv1d, linear of any rank.
#[test]
fn functional_forms_against_pytorch() {
    let mut ran = 0;
    for device in devices() {
        for case in golden("conv2d") {
            let padding = match case.params["padding"].as_str() {
                Some("same") => Padding::Same,
                _ => case.pair("padding").into(),
            };
            let mode = match case.params["padding_mode"].as_str().unwrap() {
                "zeros" => PaddingMode::Zeros,
                "reflect" => PaddingMode::Reflect,
                "replicate" => PaddingMode::Replicate,
                "circular" => PaddingMode::Circular,
                other => panic!("{other}"),
            };
            let options = Conv2dOptions {
                stride: case.pair("stride").into(),
                padding,
                dilation: case.pair("dilation").into(),
                groups: case.usize("groups"),
                padding_mode: mode,
            };
            let [x, w] = ["x", "weight"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let bias = case.get("bias").map(|b| b.to_device(&device).unwrap());
            let y = f::conv2d(&x, &w, bias.as_ref(), &options).unwrap().to_host().unwrap();
            assert_close(&format!("conv2d {} {}", case.id, case.params), &y, case.get("out").unwrap(), 4e-6);
            ran += 1;
        }
        for case in golden("conv1d") {
            let options = Conv1dOptions {
                stride: case.usize("stride"),
                padding: case.usize("padding"),
                dilation: case.usize("dilation"),
                groups: case.usize("groups"),
            };
            let [x, w, b] = ["x", "weight", "bias"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let y = f::conv1d(&x, &w, Some(&b), &options).unwrap().to_host().unwrap();
            assert_close(&format!("conv1d {}", case.id), &y, case.get("out").unwrap(), 2e-6);
            ran += 1;
        }
        for case in golden("linear") {
            let [x, w] = ["x", "weight"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let bias = case.get("bias").map(|b| b.to_device(&device).unwrap());
            let y = f::linear(&x, &w, bias.as_ref()).unwrap().to_host().unwrap();
            assert_close(&format!("linear {}", case.id), &y, case.get("out").unwrap(), 4e-6);
            ran += 1;
        }
    }
    assert_eq!(ran, 2 * (29 + 4 + 7));
}

#[test]
fn a_state_that_does_not_fit_is_listed_whole() {
    let mut net = unit();
    let before = net.state_dict();
    let mut state = before.clone();
    state.remove(0);
    state[0].1 = Tensor::zeros([3]);
    state.push(("7.weight".to_owned(), Tensor::zeros([1])));
    let e = net.load_state(&state).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let text = e.to_string();
    for part in ["missing 0.weight", "0.bias is f32[3], must be f32[16]", "extra 7.weight"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(net.state_dict(), before, "nothing is changed");
}

#[test]
fn state_survives_a_file() {
    let net = unit();
    let path = std::env::temp_dir().join(format!("convgpu-state-{}.safetensors", std::process::id()));
    net.save_state_dict(&path).unwrap();
    let mut other = unit();
    other.load_state_dict(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(other.state_dict(), net.state_dict());
    assert_eq!(other.state_dict()[6].1.dtype(), convgpu::DType::I64);
}

#[test]
fn compile_refuses_training_mode() {
    let mut net = unit();
    let desc = convgpu::Desc::f32([1, 3, 8, 6]);
    let e = net.compile(device(), desc.clone(), &Default::default()).err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Argument);
    net.eval();
    let session = net.compile(device(), desc, &Default::default()).unwrap();
    let x = Rng(4).tensor(&[1, 3, 8, 6]);
    let whole = session.run(&[("x", &x)]).unwrap();
    let by_layers = net.forward(&x.to_device(device()).unwrap()).unwrap().to_host().unwrap();
    assert_close("compiled", whole.first(), &by_layers, 1e-6);
}

/// What was compiled for one state must not serve another.
#[test]
fn forward_follows_the_state() {
    let mut net = nn::Linear::new(3, 2);
    let x = Rng(5).tensor(&[4, 3]).to_device(device()).unwrap();
    let first = net.forward(&x).unwrap().to_host().unwrap();
    let zeros = net.state_dict().into_iter().map(|(n, t)| (n, Tensor::zeros(t.shape()))).collect::<Vec<_>>();
    net.load_state(&zeros).unwrap();
    let second = net.forward(&x).unwrap().to_host().unwrap();
    assert_ne!(first, second);
    assert_eq!(second, Tensor::zeros([4, 2]));
}

#[test]
fn misshaped_inputs_name_the_node_and_the_shapes() {
    let x = Tensor::zeros([1, 5, 8, 8]).to_device(device()).unwrap();
    let e = unit().forward(&x).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    assert!(e.node().unwrap().contains("conv2d"), "{e}");
    assert!(e.to_string().contains("[1, 5, 8, 8]") && e.to_string().contains("[16, 3, 3, 3]"), "{e}");
}

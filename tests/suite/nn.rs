//! Compares modules and functions with PyTorch's results, on the reference and on the test device.

use crate::modules::state;
use crate::support::{Rng, device, golden};
use crate::traced::check;
use convgpu::functional::{self as f, Conv1dOptions, Conv2dOptions, Padding, PaddingMode};
use convgpu::internals::verify::compare;
use convgpu::nn::{self, Module, Sequential, StateDict, zoo};
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Session, Tensor};

fn devices() -> [Device; 2] {
    [Device::cpu(), device().clone()]
}

/// Within `relative` of the largest expected magnitude.
pub fn assert_close(what: &str, actual: &Tensor, expected: &Tensor, relative: f32) {
    let largest = expected.to_f64s().into_iter().fold(0.0, |a: f64, v| a.max(v.abs())) as f32;
    let c = compare(actual, expected, &vec![largest * relative; expected.numel()]);
    assert!(c.ok(), "{what}: {c}");
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
            net.load_state_dict(&state(&case)).unwrap();
            let x = case.get("x").unwrap().to_device(&device).unwrap();
            let y = if training { net.forward_train(&x) } else { net.forward(&x) };
            let y = y.unwrap().to_host().unwrap();
            assert_close(&format!("{} on {device}", case.op), &y, case.get("out").unwrap(), 2e-6);
            let after = net.state_dict();
            for name in case.outputs.iter().filter_map(|o| o.strip_prefix("new_state.")) {
                let actual = after.get(name).unwrap();
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
            for _ in 1..case.usize("steps") {
                net.forward_train(&x).unwrap();
            }
            let what = format!("case {} {} on {device}", case.id, case.params);
            let expected = [("out".to_owned(), case.get("out").unwrap())];
            check(|| Ok(vec![net.forward_train(&x)?]), &expected).unwrap_or_else(|e| panic!("{what}: {e}"));
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

/// Cases of functions: 'same', the padding modes, conv1d, linear of any rank.
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
            let options = Conv2dOptions::new().stride(case.pair("stride")).padding(padding);
            let options = options.dilation(case.pair("dilation")).groups(case.usize("groups")).padding_mode(mode);
            let [x, w] = ["x", "weight"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let bias = case.get("bias").map(|b| b.to_device(&device).unwrap());
            let y = f::conv2d(&x, &w, bias.as_ref(), options).unwrap().to_host().unwrap();
            assert_close(&format!("conv2d {} {}", case.id, case.params), &y, case.get("out").unwrap(), 4e-6);
            ran += 1;
        }
        for case in golden("conv1d") {
            let options = Conv1dOptions::new().stride(case.usize("stride")).padding(case.usize("padding"));
            let options = options.dilation(case.usize("dilation")).groups(case.usize("groups"));
            let [x, w, b] = ["x", "weight", "bias"].map(|r| case.get(r).unwrap().to_device(&device).unwrap());
            let y = f::conv1d(&x, &w, Some(&b), options).unwrap().to_host().unwrap();
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
    state.remove("0.weight").unwrap();
    state.insert("0.bias", Tensor::zeros([3]));
    state.insert("7.weight", Tensor::zeros([1]));
    let e = net.load_state_dict(&state).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let text = e.to_string();
    for part in
        ["1 missing (0.weight f32", "1 misshaped (0.bias is f32[3], must be f32[16])", "1 unexpected (7.weight "]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(net.state_dict(), before, "nothing is changed");
}

#[test]
fn part_of_a_state_loads_and_the_rest_is_named() {
    let (mut net, other) = (unit(), unit());
    let before = net.state_dict();
    let mut state = other.state_dict();
    assert_ne!(before.get("0.weight"), state.get("0.weight"));
    state.remove("0.bias").unwrap();
    state.insert("fc.weight", Tensor::zeros([1]));
    let names = net.load_state_dict_partial(&state).unwrap();
    assert_eq!((names.missing, names.unexpected), (vec!["0.bias".to_owned()], vec!["fc.weight".to_owned()]));
    let after = net.state_dict();
    assert_eq!(after.get("0.weight"), state.get("0.weight"));
    assert_eq!(after.get("0.bias"), before.get("0.bias"));
    // A wrong shape is an error in any case, as in PyTorch.
    state.insert("0.weight", Tensor::zeros([3]));
    assert_eq!(net.load_state_dict_partial(&state).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(net.state_dict(), after);
}

#[test]
fn state_survives_a_file() {
    let net = unit();
    let path = std::env::temp_dir().join(format!("convgpu-state-{}.safetensors", std::process::id()));
    net.save(&path).unwrap();
    let mut other = unit();
    other.load(&path).unwrap();
    let read = StateDict::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(other.state_dict(), net.state_dict());
    assert_eq!(other.state_dict().get("1.num_batches_tracked").unwrap().dtype(), convgpu::DType::I64);
    assert_eq!((read.len(), read.get("0.weight")), (net.state_dict().len(), net.state_dict().get("0.weight")));
    let e = other.load(&path).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::File);
    assert!(e.to_string().contains("convgpu-state-"), "{e}");
}

/// A state dict keeps its order, and every name occurs once.
#[test]
fn a_state_dict_is_an_ordered_map() {
    let named = |name: &str, v: f32| (name.to_owned(), Tensor::scalar(v));
    let mut state: StateDict = [named("b", 1.0), named("a", 2.0), named("b", 3.0)].into_iter().collect();
    state.insert("c", Tensor::scalar(4.0));
    state.insert("a", Tensor::scalar(5.0));
    let entries: Vec<_> = state.iter().map(|(name, t)| (name, t.to_f64s()[0])).collect();
    assert_eq!(entries, [("b", 3.0), ("a", 5.0), ("c", 4.0)]);
    assert_eq!(state.remove("a"), Some(Tensor::scalar(5.0)));
    assert_eq!((state.len(), state.get("a")), (2, None));
}

/// The state of a layer made after this seed, and the weight of a layer made after it.
fn made<M: Module>(make: impl FnOnce() -> M) -> [StateDict; 2] {
    nn::manual_seed(5);
    let layer = make();
    [layer.state_dict(), nn::Linear::new(3, 4).state_dict()]
}

/// The order of a layer's options, and options that are reverted, change neither its random numbers nor those of later layers.
#[test]
fn the_order_of_options_changes_no_number() {
    let conv = || nn::Conv2d::new(4, 6, [3, 2]);
    let wanted = made(|| conv().groups(2).bias(false));
    assert_eq!(wanted[0].iter().map(|(n, t)| (n, t.shape())).collect::<Vec<_>>(), [("weight", &[6, 2, 3, 2][..])]);
    assert_eq!(made(|| conv().bias(false).groups(2)), wanted);
    assert_eq!(made(|| conv().bias(false).groups(4).stride(2).groups(2)), wanted);
    assert_eq!(made(|| conv().bias(false).options(Conv2dOptions::new().groups(2))), wanted);
    let with_bias = made(|| conv().groups(2));
    assert_eq!(with_bias[0].get("weight"), wanted[0].get("weight"));
    assert_eq!(with_bias[1], wanted[1], "a bias changes the numbers of no other layer");
    assert_eq!(made(|| conv().bias(false).groups(2).bias(true)), with_bias);
    assert_eq!(made(|| conv().groups(4).bias(false).bias(true).groups(2)), with_bias);
    assert_eq!(made(conv)[1], wanted[1], "groups change the numbers of no other layer");

    let conv = || nn::Conv1d::new(4, 6, 3);
    assert_eq!(made(|| conv().groups(2).bias(false).bias(true)), made(|| conv().bias(true).groups(2)));
    let conv = || nn::ConvTranspose2d::new(4, 6, 3);
    assert_eq!(made(|| conv().groups(2).bias(false).bias(true)), made(|| conv().bias(true).groups(2)));
    let linear = || nn::Linear::new(4, 6);
    assert_eq!(made(|| linear().bias(false).bias(true)), made(linear));
    assert_eq!(made(|| linear().bias(false))[1], made(linear)[1]);
}

/// Weight and bias are independent draws, and two layers of one shape differ.
#[test]
fn parameters_have_streams_of_their_own() {
    nn::manual_seed(3);
    let layers = [nn::Linear::new(1, 8), nn::Linear::new(1, 8)];
    let values = |l: &nn::Linear| l.state_dict().into_iter().map(|(_, t)| t.to_f64s()).collect::<Vec<_>>();
    let all: Vec<_> = layers.iter().flat_map(values).collect();
    for (k, a) in all.iter().enumerate() {
        assert!(all[..k].iter().all(|b| a != b), "{all:?}");
        assert!(a.iter().all(|v| v.abs() <= 1.0) && a.iter().any(|v| v.abs() > 0.5));
    }
}

/// An option that does not change the shape of the weights keeps loaded weights; one that changes it draws them again.
#[test]
fn loaded_weights_survive_options() {
    let mut conv = nn::Conv2d::new(2, 2, 1);
    let zeros: StateDict = conv.state_dict().into_iter().map(|(n, t)| (n, Tensor::zeros(t.shape()))).collect();
    conv.load_state_dict(&zeros).unwrap();
    let conv = conv.stride(2).padding(1).bias(true);
    assert_eq!(conv.state_dict(), zeros);
    assert_ne!(conv.groups(2).state_dict().get("weight").unwrap().to_f64s(), [0.0, 0.0]);
}

#[test]
fn what_was_turned_off_can_be_turned_on() {
    let names = |m: &dyn Module| m.state_dict().iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
    let all = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    let norm = || nn::BatchNorm2d::new(3).affine(false).track_running_stats(false);
    assert!(names(&norm()).is_empty());
    assert_eq!(names(&norm().affine(true)), all[..2]);
    assert_eq!(names(&norm().track_running_stats(true).affine(true)), all);
    assert_eq!(norm().affine(true).track_running_stats(true).state_dict(), nn::BatchNorm2d::new(3).state_dict());
    assert!(names(&nn::InstanceNorm2d::new(3)).is_empty());
    assert_eq!(names(&nn::InstanceNorm2d::new(3).affine(true).track_running_stats(true)), all);
    assert!(names(&nn::InstanceNorm2d::new(3).affine(true).affine(false)).is_empty());
    assert_eq!(names(&nn::GroupNorm::new(1, 3).affine(false).affine(true)), all[..2]);
    let norm = || nn::LayerNorm::new([3, 4]).elementwise_affine(false);
    assert!(names(&norm()).is_empty());
    assert_eq!(norm().elementwise_affine(true).state_dict(), nn::LayerNorm::new([3, 4]).state_dict());
    assert_eq!(names(&norm().bias(false).elementwise_affine(true)), ["weight"]);
    assert_eq!(names(&norm().bias(false).elementwise_affine(true).bias(true)), all[..2]);
    assert!(names(&nn::Linear::new(2, 3).bias(false).bias(true)).contains(&"bias".to_owned()));
}

/// A layer norm without a shift still scales.
#[test]
fn a_layer_norm_without_a_bias() {
    let x = Rng(8).tensor(&[2, 6]).to_device(device()).unwrap();
    let mut norm = nn::LayerNorm::new([6]).bias(false);
    let weight = Tensor::full([6], 2.0);
    norm.load_state_dict(&[("weight", weight)].into_iter().collect()).unwrap();
    let y = norm.forward(&x).unwrap().to_host().unwrap();
    let plain = nn::LayerNorm::new([6]).forward(&x).unwrap().to_host().unwrap();
    let doubled: Vec<f32> = plain.as_f32().unwrap().iter().map(|v| 2.0 * v).collect();
    assert_close("scaled", &y, &Tensor::new([2, 6], doubled).unwrap(), 1e-6);
}

/// Layers whose state a pass in training mode would change are refused. `forward`, `graph` and `compile` give the same
/// error with the name of the layer.
#[test]
fn evaluation_refuses_training_mode() {
    let inner = Sequential::new().named("conv", nn::Conv2d::new(3, 4, 1)).named("bn", nn::BatchNorm2d::new(4));
    let mut net = Sequential::new().named("stage", inner).with(nn::ReLU);
    let x = Rng(4).tensor(&[1, 3, 8, 6]).to_device(device()).unwrap();
    let desc = Desc::f32([1, 3, 8, 6]);
    for e in [
        net.forward(&x).err(),
        net.graph(desc.clone()).err(),
        net.graph_with_outputs(desc.clone(), &["stage.conv"]).err(),
        net.compile(device(), desc.clone(), CompileOptions::new()).err(),
    ] {
        let e = e.unwrap();
        assert_eq!((e.kind(), e.node()), (ErrorKind::Argument, Some("stage.bn")), "{e}");
        assert!(e.to_string().contains("call eval() first, or forward_train to take a training step"), "{e}");
    }
    let before = net.state_dict();
    let trained = net.forward_train(&x).unwrap();
    assert_eq!(trained.shape(), [1, 4, 8, 6]);
    assert_eq!(net.state_dict().get("stage.bn.num_batches_tracked").unwrap().to_i64s().unwrap(), [1]);
    assert_ne!(net.state_dict().get("stage.bn.running_mean"), before.get("stage.bn.running_mean"));
    net.eval();
    let kept = net.state_dict();
    net.forward(&x).unwrap();
    net.forward_train(&x).unwrap(); // in its own mode, which is evaluation
    assert_eq!(net.state_dict(), kept);
}

#[test]
fn dropout_in_training_mode() {
    let mut net = Sequential::new().named("drop", nn::Dropout::new(0.5));
    let x = Tensor::full([2, 3], 1.0).to_device(device()).unwrap();
    let e = net.forward(&x).unwrap_err();
    assert_eq!((e.kind(), e.node()), (ErrorKind::Argument, Some("drop")), "{e}");
    let e = net.forward_train(&x).unwrap_err();
    assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some("drop")), "{e}");
    net.eval();
    assert_eq!(net.forward(&x).unwrap().to_host().unwrap(), Tensor::full([2, 3], 1.0));
    assert_eq!(net.forward_train(&x).unwrap().to_host().unwrap(), Tensor::full([2, 3], 1.0));
    let never = nn::Dropout::new(0.0);
    assert_eq!(never.forward(&x).unwrap().to_host().unwrap(), Tensor::full([2, 3], 1.0));
}

/// Training mode is not an error if it makes no difference: nothing is drawn, no statistics are updated.
#[test]
fn training_mode_without_consequences() {
    let x = Rng(4).tensor(&[2, 4, 3, 3]).to_device(device()).unwrap();
    nn::BatchNorm2d::new(4).track_running_stats(false).forward(&x).unwrap();
    nn::InstanceNorm2d::new(4).forward(&x).unwrap();
    nn::Conv2d::new(4, 2, 3).forward(&x).unwrap();
}

#[test]
fn compiled_and_layer_by_layer_agree() {
    let mut net = unit();
    net.eval();
    let session = net.compile(device(), Desc::f32([1, 3, 8, 6]), CompileOptions::new()).unwrap();
    let x = Rng(4).tensor(&[1, 3, 8, 6]);
    let whole = session.run(&[("x", &x)]).unwrap();
    let by_layers = net.forward(&x.to_device(device()).unwrap()).unwrap().to_host().unwrap();
    assert_close("compiled", whole.first(), &by_layers, 1e-6);
}

/// A graph compiled for one state must not be used for another.
#[test]
fn forward_follows_the_state() {
    let mut net = nn::Linear::new(3, 2);
    let x = Rng(5).tensor(&[4, 3]).to_device(device()).unwrap();
    let first = net.forward(&x).unwrap().to_host().unwrap();
    let zeros: StateDict = net.state_dict().into_iter().map(|(n, t)| (n, Tensor::zeros(t.shape()))).collect();
    net.load_state_dict(&zeros).unwrap();
    let second = net.forward(&x).unwrap().to_host().unwrap();
    assert_ne!(first, second);
    assert_eq!(second, Tensor::zeros([4, 2]));
}

/// Instance norm with running statistics, compared with batch norm of each image: an update is the mean over the images' updates.
#[test]
fn instance_norm_keeps_statistics() {
    let mut rng = Rng(6);
    let images = [rng.tensor(&[1, 3, 4, 5]), rng.tensor(&[1, 3, 4, 5])];
    for device in devices() {
        let affine: StateDict =
            [("weight", Tensor::full([3], 2.0)), ("bias", Tensor::full([3], 0.5))].into_iter().collect();
        let mut steps = vec![];
        let mut outputs = vec![];
        for image in &images {
            let mut norm = nn::BatchNorm2d::new(3).momentum(0.25);
            norm.load_state_dict_partial(&affine).unwrap();
            outputs.push(norm.forward_train(&image.to_device(&device).unwrap()).unwrap().to_host().unwrap());
            steps.push(norm.state_dict());
        }
        let mean = |name: &str| {
            let [a, b] = [0, 1].map(|k: usize| steps[k].get(name).unwrap().to_f64s());
            Tensor::new([3], a.iter().zip(&b).map(|(a, b)| ((a + b) / 2.0) as f32).collect::<Vec<_>>()).unwrap()
        };
        let joined = |parts: &[Tensor]| {
            let values = parts.iter().flat_map(|t| t.as_f32().unwrap().to_vec()).collect::<Vec<_>>();
            Tensor::new([2, 3, 4, 5], values).unwrap()
        };
        let mut norm = nn::InstanceNorm2d::new(3).momentum(0.25).affine(true).track_running_stats(true);
        norm.load_state_dict_partial(&affine).unwrap();
        let x = joined(&images).to_device(&device).unwrap();
        assert_eq!(norm.forward(&x).unwrap_err().kind(), ErrorKind::Argument);
        let y = norm.forward_train(&x).unwrap().to_host().unwrap();
        assert_close("training", &y, &joined(&outputs), 2e-6);
        let state = norm.state_dict();
        for name in ["running_mean", "running_var"] {
            assert_close(name, state.get(name).unwrap(), &mean(name), 2e-6);
        }
        assert_eq!(state.get("num_batches_tracked").unwrap().to_i64s().unwrap(), [0]);
        norm.eval();
        let mut batch = nn::BatchNorm2d::new(3);
        batch.load_state_dict(&state).unwrap();
        batch.eval();
        assert_eq!(
            norm.forward(&x).unwrap().to_host().unwrap(),
            batch.forward(&x).unwrap().to_host().unwrap(),
            "evaluation is batch norm"
        );
    }
}

#[test]
fn misshaped_inputs_name_the_node_and_the_shapes() {
    let x = Tensor::zeros([1, 5, 8, 8]).to_device(device()).unwrap();
    let e = unit().forward(&x).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    assert!(e.node().unwrap().contains("conv2d"), "{e}");
    assert!(e.to_string().contains("[1, 5, 8, 8]") && e.to_string().contains("[16, 3, 3, 3]"), "{e}");
}

/// Results inside a network of the zoo equal those of its parts.
#[test]
fn results_of_layers_inside_a_network() {
    nn::manual_seed(2);
    let mut net = zoo::resnet18(5);
    net.eval();
    let x = Rng(7).tensor(&[1, 3, 40, 33]);
    let names = ["maxpool", "layer2", "layer2.0.conv1", "out"];
    let graph = net.graph_with_outputs(Desc::f32([1, 3, 40, 33]), &names).unwrap();
    let session = Session::new(device(), graph, CompileOptions::new()).unwrap();
    let outputs = session.run(&[("x", &x)]).unwrap();

    let mut y = x.to_device(device()).unwrap();
    for name in ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2"] {
        y = net.get(name).unwrap().forward(&y).unwrap();
        if let Some(inside) = outputs.get(name) {
            assert_close(name, inside, &y.to_host().unwrap(), 1e-5);
        }
    }
    assert_eq!(outputs["layer2.0.conv1"].shape(), outputs["layer2"].shape());
    let whole = net.forward(&x.to_device(device()).unwrap()).unwrap().to_host().unwrap();
    assert_close("out", &outputs["out"], &whole, 1e-5);

    // Layers after the named ones are left out, weights included.
    let graph = net.graph_with_outputs(Desc::f32([1, 3, 40, 33]), &["layer2.0.conv1"]).unwrap();
    assert_eq!(graph.outputs().map(|(name, _)| name).collect::<Vec<_>>(), ["layer2.0.conv1"]);
    assert!(graph.nodes().last().unwrap().name.starts_with("layer2.0.conv1."), "{graph}");
    let e = net.graph_with_outputs(Desc::f32([1, 3, 40, 33]), &["layer9"]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Argument);
    assert!(e.to_string().contains("modules with similar names: layer1, layer2, layer3, layer4, "), "{e}");
}

#[test]
fn sequential_finds_and_prints_its_modules() {
    let mut net = Sequential::new().named("body", mlp()).with(nn::Softmax::new(-1));
    assert_eq!((net.len(), net.is_empty()), (2, false));
    assert_eq!(net.named_children().map(|(name, _)| name).collect::<Vec<_>>(), ["body", "1"]);
    assert_eq!(net.get("body").unwrap().num_parameters(), 335_114);
    assert!(net.get("tail").is_none());
    let zeros = Tensor::zeros([256, 784]);
    let state = [("0.weight", zeros.clone())].into_iter().collect();
    net.get_mut("body").unwrap().load_state_dict_partial(&state).unwrap();
    assert_eq!(net.state_dict().get("body.0.weight"), Some(&zeros));
    let text = format!("{net:?}");
    for part in ["\"body\": Sequential", "f32[256, 784]", "\"1\": Softmax"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
#[should_panic(expected = "two modules named \"1\"")]
fn a_name_serves_once() {
    let _ = Sequential::new().named("1", nn::ReLU).with(nn::ReLU);
}

/// A module that returns its input, eagerly and compiled.
#[test]
fn an_output_may_be_the_input() {
    let x = Rng(9).tensor(&[2, 3]);
    for device in devices() {
        let y = nn::Identity.forward(&x.to_device(&device).unwrap()).unwrap().to_host().unwrap();
        assert_eq!(y, x);
        let session = nn::Identity.compile(&device, Desc::f32([2, 3]), CompileOptions::new()).unwrap();
        assert_eq!(session.run(&[("x", &x)]).unwrap().first(), &x);
    }
}

/// The `Debug` text of an own operator may not describe what it computes, so such graphs are compiled at every call.
#[test]
fn own_operators_of_one_text_are_not_confused() {
    use convgpu::custom::{Bounds, Op, Site, Variant};
    use convgpu::{Desc, Error, ErrorKind, Result, ValueId};

    struct Add(f32);
    impl std::fmt::Debug for Add {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Add")
        }
    }
    impl Op for Add {
        fn name(&self) -> &'static str {
            "add_number"
        }
        fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
            Ok(inputs.to_vec())
        }
        fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
            let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| x + self.0).collect();
            Ok(vec![Tensor::new(inputs[0].shape(), y)?])
        }
        fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
            Ok(Some(vec![vec![0.0; outputs[0].numel()]]))
        }
        fn launches(&self, _: &Site<'_>) -> Result<Vec<Variant>> {
            Err(Error::new(ErrorKind::Unsupported, "on the reference only"))
        }
        fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
            0
        }
    }
    #[derive(Clone, Debug)]
    struct Layer(f32);
    impl Module for Layer {
        fn build(&self, b: &mut nn::Builder<'_>, x: ValueId) -> Result<ValueId> {
            b.graph.apply("add", Add(self.0), &[x])
        }
    }
    let x = Tensor::zeros([2]).to_device(&Device::cpu()).unwrap();
    let of = |n: f32| Layer(n).forward(&x).unwrap().to_host().unwrap();
    assert_eq!((of(1.0), of(100.0)), (Tensor::full([2], 1.0f32), Tensor::full([2], 100.0f32)));
}

#[test]
fn sums_of_nothing_are_zero_or_the_bias() {
    for device in devices() {
        let on = |t: Tensor| t.to_device(&device).unwrap();
        let (x, w, b) = (on(Tensor::zeros([2, 0])), on(Tensor::zeros([3, 0])), on(Tensor::full([3], 0.5f32)));
        let y = f::linear(&x, &w, Some(&b)).unwrap().to_host().unwrap();
        assert_eq!(y, Tensor::full([2, 3], 0.5f32), "{device}");
        let (x, w) = (on(Tensor::zeros([1, 0, 4, 5])), on(Tensor::zeros([4, 0, 3, 3])));
        let options = f::Conv2dOptions::new().padding(1).padding_mode(f::PaddingMode::Reflect);
        let y = f::conv2d(&x, &w, None, options).unwrap().to_host().unwrap();
        assert_eq!(y, Tensor::zeros([1, 4, 4, 5]), "{device}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_not_another_number() {
    let on = |t: Tensor| t.to_device(&Device::cpu()).unwrap();
    let (x, w) = (on(Tensor::zeros([1, 1, 5, 5])), on(Tensor::zeros([1, 1, 3, 3])));
    let options = f::Conv2dOptions::new().padding(usize::MAX).padding_mode(f::PaddingMode::Replicate);
    assert_eq!(f::conv2d(&x, &w, None, options).unwrap_err().kind(), ErrorKind::Argument);
    let options = f::Conv2dOptions::new().padding(f::Padding::Same).dilation(usize::MAX);
    assert!(f::conv2d(&x, &w, None, options).is_err());
    assert!(on(Tensor::zeros([0])).reshape([1usize << 32, 1 << 32]).is_err());
    assert!(nn::Dropout::new(2.0).forward(&x).is_err() && nn::Dropout::new(f32::NAN).forward(&x).is_err());
}

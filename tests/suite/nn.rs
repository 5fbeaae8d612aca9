//! Networks of modules: against PyTorch, compiled and layer by layer, their parts and their names.

use crate::support::{Rng, device, golden};
use convgpu::internals::verify::compare;
use convgpu::nn::{self, Module, Sequential, zoo};
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Session, Tensor};

pub fn devices() -> [Device; 2] {
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

pub fn unit() -> Sequential {
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
            net.load_state_dict(&case.state()).unwrap();
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
fn compiled_and_layer_by_layer_agree() {
    let mut net = unit();
    net.eval();
    let session = net.compile(device(), Desc::f32([1, 3, 8, 6]), CompileOptions::new()).unwrap();
    let x = Rng(4).tensor(&[1, 3, 8, 6]);
    let whole = session.run(&[("x", &x)]).unwrap();
    let by_layers = net.forward(&x.to_device(device()).unwrap()).unwrap().to_host().unwrap();
    assert_close("compiled", whole.first(), &by_layers, 1e-6);
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

//! What a program asks of a network by name: parameters, buffers, results of modules inside it, and a whole state dict.

use convgpu::nn::{self, Module, Sequential, StateDict, zoo};
use convgpu::{Desc, Device, ErrorKind, Session, Tensor};

use crate::nn::assert_close;
use crate::support::{Rng, device};

fn unit() -> Sequential {
    Sequential::new().named("conv", nn::Conv2d::new(3, 4, 3)).named("bn", nn::BatchNorm2d::new(4)).with(nn::ReLU)
}

#[test]
fn parameters_and_buffers_are_found_by_name() {
    let mut net = Sequential::new().named("stage", unit());
    assert_eq!(net.get_parameter("stage.conv.weight").unwrap().shape(), [4, 3, 3, 3]);
    assert_eq!(net.get_buffer("stage.bn.running_var").unwrap(), &Tensor::full([4], 1.0));
    for (name, t) in net.parameters() {
        assert_eq!(net.get_parameter(&name).unwrap(), t);
    }

    let bias = Rng(1).tensor(&[4]);
    net.set_parameter("stage.conv.bias", bias.clone()).unwrap();
    assert_eq!(net.get_parameter("stage.conv.bias").unwrap(), &bias);
    // 32-bit integers are widened, as load_state_dict does.
    net.set_buffer("stage.bn.num_batches_tracked", Tensor::new([], vec![7i32]).unwrap()).unwrap();
    assert_eq!(net.get_buffer("stage.bn.num_batches_tracked").unwrap().to_i64s().unwrap(), [7]);
}

#[test]
fn a_wrong_name_kind_or_shape_changes_nothing() {
    let mut net = unit();
    let before = net.state_dict();
    let e = net.get_parameter("conv.weigth").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Argument);
    let all = "there is no parameter conv.weigth; parameters: conv.weight, conv.bias, bn.weight, bn.bias";
    assert_eq!(e.to_string(), all);
    let e = zoo::resnet18(3).get_parameter("layer3.1.conv3.weight").unwrap_err().to_string();
    assert!(e.contains("layer3.1.conv2.weight") && e.ends_with("(of 62)"), "{e}");
    let buffer = "bn.running_mean is a buffer, not a parameter: get_buffer and set_buffer take it";
    assert_eq!(net.get_parameter("bn.running_mean").unwrap_err().to_string(), buffer);
    assert_eq!(net.set_parameter("bn.running_mean", Tensor::zeros([4])).unwrap_err().to_string(), buffer);
    let e = net.get_buffer("conv.bias").unwrap_err().to_string();
    assert!(e.contains("is a parameter, not a buffer: get_parameter"), "{e}");

    let e = net.set_parameter("conv.bias", Tensor::zeros([1, 4])).unwrap_err();
    assert_eq!((e.kind(), e.to_string().as_str()), (ErrorKind::Shape, "conv.bias is f32[1, 4], must be f32[4]"));
    let e = net.set_buffer("bn.running_mean", Tensor::new([4], vec![0i32; 4]).unwrap()).unwrap_err();
    assert_eq!(e.to_string(), "bn.running_mean is i32[4], must be f32[4]");
    assert_eq!(net.state_dict(), before);
}

/// The compiled graph of one state is not used for another.
#[test]
fn a_parameter_that_is_set_counts() {
    let mut layer = nn::Linear::new(2, 1);
    let x = Tensor::from([[1.0f32, 10.0]]).to_device(device()).unwrap();
    layer.forward(&x).unwrap();
    layer.set_parameter("weight", Tensor::from([[2.0f32, 3.0]])).unwrap();
    layer.set_parameter("bias", Tensor::from([0.5f32])).unwrap();
    assert_eq!(layer.forward(&x).unwrap().to_host().unwrap(), Tensor::from([[32.5f32]]));
}

#[test]
fn features_layer_by_layer_are_those_of_the_graph() {
    let mut net = zoo::resnet18(5);
    net.eval();
    let x = Rng(7).tensor(&[1, 3, 40, 33]);
    let names = ["layer2.0.conv1", "layer2", "out"];
    for device in [Device::cpu(), device().clone()] {
        let graph = net.graph_with_outputs(Desc::f32([1, 3, 40, 33]), &names).unwrap();
        let compiled = graph.compile(&device).unwrap().run(&[("x", &x)]).unwrap();
        let x = x.to_device(&device).unwrap();
        let eager = net.forward_with_outputs(&x, &names).unwrap();
        assert_eq!(eager.iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
        for (name, result) in &eager {
            assert_eq!(result.to_host().unwrap(), compiled[name], "{name} on {device}");
        }
        let whole = net.forward(&x).unwrap().to_host().unwrap();
        assert_close("out", &eager["out"].to_host().unwrap(), &whole, 1e-5);
    }
}

#[test]
fn features_that_cannot_be_had_are_errors() {
    let mut net = unit();
    let x = Rng(7).tensor(&[1, 3, 8, 8]).to_device(device()).unwrap();
    let wrong = |net: &Sequential, names: &[&str]| net.forward_with_outputs(&x, names).unwrap_err();
    let e = wrong(&net, &["conv"]);
    assert_eq!((e.kind(), e.node()), (ErrorKind::Argument, Some("bn")), "training mode: {e}");
    net.eval();
    net.forward_with_outputs(&x, &["conv"]).unwrap();
    assert_eq!(wrong(&net, &["con"]).to_string(), "there is no module con; modules: 2, bn, conv");
    assert!(wrong(&net, &["conv", "conv"]).to_string().contains("two outputs of the network are named conv"));
    assert!(wrong(&net, &[]).to_string().contains("no outputs"));
}

/// A checkpoint of another network: the error has the counts and a few names, not hundreds.
#[test]
fn a_wrong_checkpoint_is_summarised() {
    let mut net = zoo::resnet18(10);
    let before = net.state_dict();
    let other = zoo::resnet34(10).state_dict();
    let e = net.load_state_dict(&other).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Shape);
    let e = e.to_string();
    assert!(e.starts_with("the state does not fit: 96 unexpected (layer1.2.conv1.weight f32[64, 64, 3, 3], "), "{e}");
    assert_eq!((e.matches("layer").count(), e.ends_with(", ..)")), (5, true), "{e}");

    let few: StateDict = [("fc.bias", Tensor::zeros([1000])), ("fc.wieght", Tensor::zeros([2]))].into_iter().collect();
    let e = net.load_state_dict(&few).unwrap_err().to_string();
    for part in ["121 missing (conv1.weight f32", "1 unexpected (fc.wieght f32[2])"] {
        assert!(e.contains(part), "{e}");
    }
    let misshaped = "the state does not fit: 1 misshaped (fc.bias is f32[1000], must be f32[10])";
    assert!(e.ends_with("; 1 misshaped (fc.bias is f32[1000], must be f32[10])"), "{e}");
    assert_eq!(net.load_state_dict_partial(&few).unwrap_err().to_string(), misshaped);
    assert_eq!(net.state_dict(), before);
}

#[test]
fn a_session_of_features_has_their_names() {
    let mut net = unit();
    net.eval();
    let graph = net.graph_with_outputs(Desc::f32([1, 3, 8, 8]), &["conv", "out"]).unwrap();
    let session = Session::new(device(), graph, Default::default()).unwrap();
    assert_eq!(session.outputs().iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["conv", "out"]);
}

//! Training mode: what it refuses, and where it makes no difference.

use crate::support::{Rng, device};
use convgpu::nn::{self, Module, Sequential};
use convgpu::{CompileOptions, Desc, ErrorKind, Tensor};

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

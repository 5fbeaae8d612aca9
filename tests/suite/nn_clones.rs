//! Every module is `Clone` and `Debug`, and a clone has a state of its own.

use std::fmt::Debug;

use convgpu::nn::*;
use convgpu::{Result, Tensor, ValueId};

use crate::support::{Rng, device};

fn module<M: Module + Clone + Debug + 'static>(m: M) -> Box<dyn Module> {
    Box::new(m.clone())
}

/// Layers that need no argument, as `new()` and as `default()`.
#[test]
fn layers_without_arguments_are_made_alike() {
    macro_rules! both {
        ($($layer:ident)*) => {$(
            assert_eq!(format!("{:?}", $layer::new()), format!("{:?}", $layer::default()));
            module($layer::new());
        )*};
    }
    both!(ReLU ReLU6 SELU Sigmoid Tanh Hardsigmoid Hardswish SiLU Mish Softsign Identity);
    both!(LeakyReLU ELU CELU GELU Softplus PReLU Flatten Upsample Sequential);
    assert_eq!(format!("{:?}", Dropout::default()), format!("{:?}", Dropout::new(0.5)));
    // The short spelling of those without options.
    assert_eq!(Sequential::new().with(ReLU).with(Identity).with(Tanh).len(), 3);
}

#[test]
fn every_layer_is_clone_and_debug() {
    let layers = [
        module(Conv1d::new(1, 1, 1)),
        module(Conv2d::new(1, 1, 1)),
        module(Conv3d::new(1, 1, 1)),
        module(ConvTranspose2d::new(1, 1, 1)),
        module(ConvTranspose3d::new(1, 1, 1)),
        module(Linear::new(1, 1)),
        module(Dropout::new(0.1)),
        module(BatchNorm1d::new(1)),
        module(BatchNorm2d::new(1)),
        module(BatchNorm3d::new(1)),
        module(InstanceNorm2d::new(1)),
        module(InstanceNorm3d::new(1)),
        module(GroupNorm::new(1, 1)),
        module(LayerNorm::new([1])),
        module(LocalResponseNorm::new(1)),
        module(AvgPool2d::new(1)),
        module(MaxPool2d::new(1)),
        module(AvgPool3d::new(1)),
        module(MaxPool3d::new(1)),
        module(LPPool2d::new(1.0, 1)),
        module(AdaptiveAvgPool2d::new(1)),
        module(AdaptiveAvgPool3d::new(1)),
        module(AdaptiveMaxPool3d::new(1)),
        module(LPPool3d::new(2.0, 1)),
        module(AdaptiveMaxPool2d::new(1)),
        module(PixelShuffle::new(1)),
        module(PixelUnshuffle::new(1)),
        module(ZeroPad2d::new(1)),
        module(ReflectionPad2d::new(1)),
        module(ReplicationPad2d::new(1)),
        module(CircularPad2d::new(1)),
        module(Threshold::new(0.0, 1.0)),
        module(Softmax::new(1)),
        module(LogSoftmax::new(1)),
        module(Activate(Activation::Exp)),
        module(Some(ReLU)),
        module(Box::new(ReLU)),
        module(module(ReLU)),
    ];
    for layer in layers {
        assert_eq!(format!("{:?}", layer.clone()), format!("{layer:?}"));
        assert_eq!(layer.clone().state_dict(), layer.state_dict());
    }
}

/// A network as a program writes one.
#[derive(Clone, Debug)]
struct Net {
    body: Sequential,
    head: Option<Linear>,
}

impl Module for Net {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.chain(x, &[("body", &self.body), ("head", &self.head)])
    }
    children!(body, head);
}

#[test]
fn a_clone_has_a_state_of_its_own() {
    let net = Net { body: Sequential::new().with(BatchNorm1d::new(2)).with(ReLU), head: Some(Linear::new(2, 3)) };
    let mut clone = Sequential::new().named("net", net.clone()).clone();
    let x = Rng(3).tensor(&[4, 2]).to_device(device()).unwrap();
    clone.forward_train(&x).unwrap();
    clone.eval();
    assert_ne!(clone.get_buffer("net.body.0.running_mean").unwrap(), &Tensor::zeros([2]));
    assert_eq!(net.get_buffer("body.0.running_mean").unwrap(), &Tensor::zeros([2]));
    assert!(net.forward(&x).is_err(), "the first is still in training mode");

    let before = clone.forward(&x).unwrap().to_host().unwrap();
    let mut other = clone.clone();
    other.set_parameter("net.head.weight", Tensor::zeros([3, 2])).unwrap();
    assert_ne!(other.forward(&x).unwrap().to_host().unwrap(), before);
    assert_eq!(clone.forward(&x).unwrap().to_host().unwrap(), before);
}

#[test]
fn a_network_of_the_zoo_is_clone() {
    manual_seed(5);
    for (name, make) in zoo::ARCHITECTURES.iter().filter(|(name, _)| *name != "vgg11_bn") {
        let net = make(3);
        let mut clone = net.clone();
        assert_eq!(clone.state_dict(), net.state_dict(), "{name}");
        let (first, old) = net.parameters().swap_remove(0);
        clone.set_parameter(&first, Tensor::zeros(old.shape())).unwrap();
        assert_ne!(clone.get_parameter(&first).unwrap(), old, "{name}");
    }
}

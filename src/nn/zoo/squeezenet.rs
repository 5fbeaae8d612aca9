//! SqueezeNet, as `torchvision/models/squeezenet.py`.

use crate::error::Result;
use crate::graph::ValueId;
use crate::nn::{AdaptiveAvgPool2d, Builder, Conv2d, Dropout, Flatten, MaxPool2d, Module, ReLU, Sequential};

/// SqueezeNet of release 1.1: `[n, 3, h, w]` to logits `[n, num_classes]`. It has the accuracy of release 1.0 with 2.4
/// times less computation. Its classifier is a convolution.
///
/// It is [torchvision.models.squeezenet1_1](https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.squeezenet1_1.html).
pub fn squeezenet1_1(num_classes: usize) -> Sequential {
    let pool = || MaxPool2d::new(3).stride(2).ceil_mode(true);
    let features = Sequential::new()
        .with(Conv2d::new(3, 64, 3).stride(2))
        .with(ReLU)
        .with(pool())
        .with(Fire::new(64, 16, 64))
        .with(Fire::new(128, 16, 64))
        .with(pool())
        .with(Fire::new(128, 32, 128))
        .with(Fire::new(256, 32, 128))
        .with(pool())
        .with(Fire::new(256, 48, 192))
        .with(Fire::new(384, 48, 192))
        .with(Fire::new(384, 64, 256))
        .with(Fire::new(512, 64, 256));
    let classifier = Sequential::new()
        .with(Dropout::new(0.5))
        .with(Conv2d::new(512, num_classes, 1))
        .with(ReLU)
        .with(AdaptiveAvgPool2d::new(1));
    Sequential::new().named("features", features).named("classifier", classifier).named("flatten", Flatten::new())
}

/// A fire module: a 1x1 convolution that narrows, then half of the output by 1x1 and half by 3x3: `[n, inputs, h, w]`
/// to `[n, 2 expand, h, w]`.
#[derive(Clone, Debug)]
struct Fire {
    squeeze: Conv2d,
    expand1x1: Conv2d,
    expand3x3: Conv2d,
}

impl Fire {
    fn new(inputs: usize, squeeze: usize, expand: usize) -> Fire {
        Fire {
            squeeze: Conv2d::new(inputs, squeeze, 1),
            expand1x1: Conv2d::new(squeeze, expand, 1),
            expand3x3: Conv2d::new(squeeze, expand, 3).padding(1),
        }
    }
}

impl Module for Fire {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let x = b.chain(x, &[("squeeze", &self.squeeze), ("squeeze_activation", &ReLU)])?;
        let halves = [
            b.chain(x, &[("expand1x1", &self.expand1x1), ("expand1x1_activation", &ReLU)])?,
            b.chain(x, &[("expand3x3", &self.expand3x3), ("expand3x3_activation", &ReLU)])?,
        ];
        b.graph.cat(&halves, 1)
    }
    crate::nn::children!(squeeze, expand1x1, expand3x3);
}

//! MobileNetV2, as `torchvision/models/mobilenetv2.py`.

use crate::error::Result;
use crate::functional::BinaryKind;
use crate::graph::ValueId;
use crate::nn::{AdaptiveAvgPool2d, BatchNorm2d, Builder, Conv2d, Dropout, Flatten, Linear, Module, ReLU6, Sequential};

/// Table 2 of the paper: expansion, output channels, blocks, stride of the first block.
const STAGES: [(usize, usize, usize, usize); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// MobileNetV2 of width 1: `[n, 3, h, w]` to logits `[n, num_classes]` by inverted residuals with depthwise convolutions.
///
/// It is [torchvision.models.mobilenet_v2](https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.mobilenet_v2.html).
pub fn mobilenet_v2(num_classes: usize) -> Sequential {
    let mut channels = 32;
    let mut features =
        Sequential::new().with(conv_bn_relu6(Conv2d::new(3, channels, 3).stride(2).padding(1), channels));
    for (expansion, outputs, blocks, stride) in STAGES {
        for k in 0..blocks {
            features =
                features.with(InvertedResidual::new(channels, outputs, if k == 0 { stride } else { 1 }, expansion));
            channels = outputs;
        }
    }
    Sequential::new()
        .named("features", features.with(conv_bn_relu6(Conv2d::new(channels, 1280, 1), 1280)))
        .named("avgpool", AdaptiveAvgPool2d::new(1))
        .named("flatten", Flatten::new())
        .named("classifier", Sequential::new().with(Dropout::new(0.2)).with(Linear::new(1280, num_classes)))
}

fn conv_bn_relu6(conv: Conv2d, channels: usize) -> Sequential {
    Sequential::new().with(conv.bias(false)).with(BatchNorm2d::new(channels)).with(ReLU6)
}

/// An inverted residual: a 1x1 convolution that widens, a depthwise 3x3, a 1x1 that narrows; the input is added if the
/// shape does not change.
#[derive(Clone, Debug)]
struct InvertedResidual {
    conv: Sequential,
    use_res_connect: bool,
}

impl InvertedResidual {
    fn new(inputs: usize, outputs: usize, stride: usize, expansion: usize) -> InvertedResidual {
        let hidden = inputs * expansion;
        let mut conv = Sequential::new();
        if expansion != 1 {
            conv = conv.with(conv_bn_relu6(Conv2d::new(inputs, hidden, 1), hidden));
        }
        let depthwise = Conv2d::new(hidden, hidden, 3).stride(stride).padding(1).groups(hidden);
        InvertedResidual {
            conv: conv
                .with(conv_bn_relu6(depthwise, hidden))
                .with(Conv2d::new(hidden, outputs, 1).bias(false))
                .with(BatchNorm2d::new(outputs)),
            use_res_connect: stride == 1 && inputs == outputs,
        }
    }
}

impl Module for InvertedResidual {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let y = b.child("conv", &self.conv, x)?;
        if self.use_res_connect { b.graph.binary(x, y, BinaryKind::Add) } else { Ok(y) }
    }
    crate::nn::children!(conv);
}

//! Residual networks, as `torchvision/models/resnet.py`.

use crate::error::Result;
use crate::functional::BinaryKind;
use crate::graph::ValueId;
use crate::nn::{
    AdaptiveAvgPool2d, BatchNorm2d, Builder, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential,
};

/// ResNet-18: `[n, 3, h, w]` to logits `[n, num_classes]` by two blocks of two 3x3 convolutions per stage.
///
/// It is [torchvision.models.resnet18](https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html).
pub fn resnet18(num_classes: usize) -> Sequential {
    resnet::<BasicBlock>([2, 2, 2, 2], num_classes)
}

/// ResNet-34: `[n, 3, h, w]` to logits `[n, num_classes]` by three to six blocks of two 3x3 convolutions per stage.
///
/// It is [torchvision.models.resnet34](https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet34.html).
pub fn resnet34(num_classes: usize) -> Sequential {
    resnet::<BasicBlock>([3, 4, 6, 3], num_classes)
}

/// ResNet-50: `[n, 3, h, w]` to logits `[n, num_classes]` by three to six bottlenecks (1x1, 3x3, 1x1) per stage.
///
/// It is [torchvision.models.resnet50](https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html).
pub fn resnet50(num_classes: usize) -> Sequential {
    resnet::<Bottleneck>([3, 4, 6, 3], num_classes)
}

/// A residual block: `[n, inputs, h, w]` to `[n, width EXPANSION, h / stride, w / stride]`.
trait Block: Module + Clone + 'static {
    const EXPANSION: usize;
    fn new(inputs: usize, width: usize, stride: usize) -> Self;
}

/// The stem, four stages with these numbers of blocks, the classifier. Each stage after the first doubles the width and
/// halves the size.
fn resnet<B: Block>(blocks: [usize; 4], num_classes: usize) -> Sequential {
    let mut net = Sequential::new()
        .named("conv1", conv(3, 64, 7, 2))
        .named("bn1", BatchNorm2d::new(64))
        .named("relu", ReLU)
        .named("maxpool", MaxPool2d::new(3).stride(2).padding(1));
    let mut channels = 64;
    for (stage, count) in blocks.into_iter().enumerate() {
        let width = 64 << stage;
        let mut layer = Sequential::new();
        for k in 0..count {
            let stride = if k == 0 && stage > 0 { 2 } else { 1 };
            layer = layer.with(B::new(channels, width, stride));
            channels = width * B::EXPANSION;
        }
        net = net.named(format!("layer{}", stage + 1), layer);
    }
    net.named("avgpool", AdaptiveAvgPool2d::new(1))
        .named("flatten", Flatten::new())
        .named("fc", Linear::new(channels, num_classes))
}

/// A convolution before a batch norm: without bias; with stride 1 it keeps the size.
fn conv(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Conv2d {
    Conv2d::new(inputs, outputs, kernel).stride(stride).padding(kernel / 2).bias(false)
}

/// The layers of the shortcut, if a block changes the shape.
fn downsample(inputs: usize, outputs: usize, stride: usize) -> Option<Sequential> {
    let changes = stride != 1 || inputs != outputs;
    changes.then(|| Sequential::new().with(conv(inputs, outputs, 1, stride)).with(BatchNorm2d::new(outputs)))
}

/// relu(y + x).
fn join(b: &mut Builder<'_>, y: ValueId, x: ValueId) -> Result<ValueId> {
    let sum = b.graph.binary(y, x, BinaryKind::Add)?;
    b.child("relu", &ReLU, sum)
}

/// Two 3x3 convolutions.
#[derive(Clone, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    downsample: Option<Sequential>,
}

impl Block for BasicBlock {
    const EXPANSION: usize = 1;
    fn new(inputs: usize, width: usize, stride: usize) -> BasicBlock {
        BasicBlock {
            conv1: conv(inputs, width, 3, stride),
            bn1: BatchNorm2d::new(width),
            conv2: conv(width, width, 3, 1),
            bn2: BatchNorm2d::new(width),
            downsample: downsample(inputs, width, stride),
        }
    }
}

impl Module for BasicBlock {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let y = b.chain(x, &[("conv1", &self.conv1), ("bn1", &self.bn1), ("relu", &ReLU)])?;
        let y = b.chain(y, &[("conv2", &self.conv2), ("bn2", &self.bn2)])?;
        let shortcut = b.child("downsample", &self.downsample, x)?;
        join(b, y, shortcut)
    }
    crate::nn::children!(conv1, bn1, conv2, bn2, downsample);
}

/// A 1x1 convolution that narrows, a 3x3, a 1x1 that widens.
#[derive(Clone, Debug)]
struct Bottleneck {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    conv3: Conv2d,
    bn3: BatchNorm2d,
    downsample: Option<Sequential>,
}

impl Block for Bottleneck {
    const EXPANSION: usize = 4;
    fn new(inputs: usize, width: usize, stride: usize) -> Bottleneck {
        let outputs = width * Self::EXPANSION;
        Bottleneck {
            conv1: conv(inputs, width, 1, 1),
            bn1: BatchNorm2d::new(width),
            conv2: conv(width, width, 3, stride),
            bn2: BatchNorm2d::new(width),
            conv3: conv(width, outputs, 1, 1),
            bn3: BatchNorm2d::new(outputs),
            downsample: downsample(inputs, outputs, stride),
        }
    }
}

impl Module for Bottleneck {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let y = b.chain(x, &[("conv1", &self.conv1), ("bn1", &self.bn1), ("relu", &ReLU)])?;
        let y = b.chain(y, &[("conv2", &self.conv2), ("bn2", &self.bn2), ("relu", &ReLU)])?;
        let y = b.chain(y, &[("conv3", &self.conv3), ("bn3", &self.bn3)])?;
        let shortcut = b.child("downsample", &self.downsample, x)?;
        join(b, y, shortcut)
    }
    crate::nn::children!(conv1, bn1, conv2, bn2, conv3, bn3, downsample);
}

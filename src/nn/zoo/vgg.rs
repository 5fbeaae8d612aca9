//! VGG, as `torchvision/models/vgg.py`.

use crate::nn::{AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential};

/// Configuration A of the paper: the channels of the convolutions, a pooling after every stage.
const STAGES: [&[usize]; 5] = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];

/// VGG-11 with batch norm: `[n, 3, h, w]` to logits `[n, num_classes]`. Its first linear layer alone takes 411 MB.
///
/// It is [torchvision.models.vgg11_bn](https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.vgg11_bn.html).
pub fn vgg11_bn(num_classes: usize) -> Sequential {
    let mut features = Sequential::new();
    let mut channels = 3;
    for stage in STAGES {
        for &outputs in stage {
            let conv = Conv2d::new(channels, outputs, 3).padding(1);
            features = features.with(conv).with(BatchNorm2d::new(outputs)).with(ReLU);
            channels = outputs;
        }
        features = features.with(MaxPool2d::new(2));
    }
    let hidden = |net: Sequential, inputs| net.with(Linear::new(inputs, 4096)).with(ReLU).with(Dropout::new(0.5));
    let classifier = hidden(hidden(Sequential::new(), channels * 7 * 7), 4096);
    Sequential::new()
        .named("features", features)
        .named("avgpool", AdaptiveAvgPool2d::new(7))
        .named("flatten", Flatten::new())
        .named("classifier", classifier.with(Linear::new(4096, num_classes)))
}

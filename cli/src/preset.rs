//! How well-known networks were trained to see pixels.

use clap::ValueEnum;

use crate::fit::Interpolation;

/// A choice of `--preprocess`. The texts are those of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Preset {
    /// torchvision, timm (many models of which want --interpolation bicubic): RGB, 1/255, mean .485 .456 .406, std .229 .224 .225,
    /// short side 256/224 of the cut
    Imagenet,
    /// Caffe, the first ONNX models: BGR, 1, mean 104 117 123, short side 256/224 of the cut
    Caffe,
    /// Inception, MobileNet and others of TensorFlow: RGB, 1/255, mean .5, std .5, short side 256/224 of the cut
    Inception,
    /// CLIP: RGB, 1/255, mean .48145 .45783 .40821, std .26863 .26130 .27578, bicubic, short side 224/224 of the
    /// cut
    Clip,
    /// RGB, 0..255 as they are
    Raw,
}

/// What a preset stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// The order of `mean` and `std` is that of the network's channels.
    pub bgr: bool,
    pub scale: f32,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// The short side after resizing, and the sides of the square that is then cut out; a network with another input size has
    /// another square, and a short side in proportion. `None`: as without a preset.
    pub cut: Option<(u32, u32)>,
    pub interpolation: Interpolation,
}

/// Without a preset.
const PLAIN: Constants = Constants {
    bgr: false,
    scale: 1.0 / 255.0,
    mean: [0.0; 3],
    std: [1.0; 3],
    cut: None,
    interpolation: Interpolation::Bilinear,
};

impl Preset {
    pub fn constants(self) -> Constants {
        match self {
            Preset::Imagenet => {
                Constants { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], cut: Some((256, 224)), ..PLAIN }
            }
            Preset::Caffe => {
                Constants { bgr: true, scale: 1.0, mean: [104.0, 117.0, 123.0], cut: Some((256, 224)), ..PLAIN }
            }
            Preset::Inception => Constants { mean: [0.5; 3], std: [0.5; 3], cut: Some((256, 224)), ..PLAIN },
            // As in https://github.com/openai/CLIP, `_transform`.
            Preset::Clip => Constants {
                mean: [0.48145466, 0.4578275, 0.40821073],
                std: [0.26862954, 0.261_302_6, 0.275_777_1],
                cut: Some((224, 224)),
                interpolation: Interpolation::Bicubic,
                ..PLAIN
            },
            Preset::Raw => Constants { scale: 1.0, ..PLAIN },
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned())
    }
}

/// The names of all presets.
pub fn names() -> String {
    Preset::value_variants().iter().map(|p| p.name()).collect::<Vec<_>>().join("|")
}

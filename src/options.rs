//! The options of layers, in PyTorch's names and with its defaults.

use crate::error::{Error, Result};

/// A vertical and a horizontal number; one number stands for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(n: usize) -> Pair {
        Pair([n, n])
    }
}
impl From<[usize; 2]> for Pair {
    fn from(p: [usize; 2]) -> Pair {
        Pair(p)
    }
}
impl From<(usize, usize)> for Pair {
    fn from((y, x): (usize, usize)) -> Pair {
        Pair([y, x])
    }
}

/// How a convolution pads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Rows and columns added: top, bottom, left, right.
    Sides([usize; 4]),
    /// As many as keep the size (stride 1 only); the odd one goes to the bottom and the right.
    Same,
    /// None.
    Valid,
}

impl From<usize> for Padding {
    fn from(n: usize) -> Padding {
        Padding::Sides([n; 4])
    }
}
impl From<[usize; 2]> for Padding {
    fn from([y, x]: [usize; 2]) -> Padding {
        Padding::Sides([y, y, x, x])
    }
}
impl From<[usize; 4]> for Padding {
    fn from(sides: [usize; 4]) -> Padding {
        Padding::Sides(sides)
    }
}

impl Padding {
    /// The four sides, for a kernel of this size.
    pub(crate) fn sides(self, kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) -> Result<[usize; 4]> {
        match self {
            Padding::Sides(sides) => Ok(sides),
            Padding::Valid => Ok([0; 4]),
            Padding::Same if stride != [1, 1] => Err(Error::argument("padding 'same' needs stride 1")),
            Padding::Same => {
                let total = |a: usize| dilation[a] * (kernel[a].max(1) - 1);
                let (y, x) = (total(0), total(1));
                Ok([y / 2, y - y / 2, x / 2, x - x / 2])
            }
        }
    }
}

/// What padding consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The image mirrored without its border.
    Reflect,
    /// The border repeated.
    Replicate,
    /// The opposite side.
    Circular,
}

/// Options of `conv2d`: <https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dOptions {
    /// Steps between outputs.
    pub stride: Pair,
    /// Rows and columns added around the input.
    pub padding: Padding,
    /// Steps between taps.
    pub dilation: Pair,
    /// Independent groups of channels.
    pub groups: usize,
    /// What the padding consists of.
    pub padding_mode: PaddingMode,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Conv2dOptions {
            stride: 1.into(),
            padding: 0.into(),
            dilation: 1.into(),
            groups: 1,
            padding_mode: PaddingMode::Zeros,
        }
    }
}

/// Options of `conv1d`: <https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv1dOptions {
    /// Steps between outputs.
    pub stride: usize,
    /// Zeros added on both sides.
    pub padding: usize,
    /// Steps between taps.
    pub dilation: usize,
    /// Independent groups of channels.
    pub groups: usize,
}

impl Default for Conv1dOptions {
    fn default() -> Self {
        Conv1dOptions { stride: 1, padding: 0, dilation: 1, groups: 1 }
    }
}

/// Options of `conv_transpose2d`: <https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvTranspose2dOptions {
    /// Steps between the outputs of neighbouring inputs.
    pub stride: Pair,
    /// Rows and columns cut from every side of the full result.
    pub padding: Pair,
    /// Rows and columns added to the bottom and the right.
    pub output_padding: Pair,
    /// Steps between taps.
    pub dilation: Pair,
    /// Independent groups of channels.
    pub groups: usize,
}

impl Default for ConvTranspose2dOptions {
    fn default() -> Self {
        let (zero, one) = (0.into(), 1.into());
        ConvTranspose2dOptions { stride: one, padding: zero, output_padding: zero, dilation: one, groups: 1 }
    }
}

/// Options of `max_pool2d`: <https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPool2dOptions {
    /// Steps between windows; `None`: the kernel size.
    pub stride: Option<Pair>,
    /// Rows and columns of minus infinity on every side, at most half the kernel.
    pub padding: Pair,
    /// Steps between taps.
    pub dilation: Pair,
    /// Round the output size up, as long as the last window starts inside.
    pub ceil_mode: bool,
}

impl Default for MaxPool2dOptions {
    fn default() -> Self {
        MaxPool2dOptions { stride: None, padding: 0.into(), dilation: 1.into(), ceil_mode: false }
    }
}

/// Options of `avg_pool2d`: <https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPool2dOptions {
    /// Steps between windows; `None`: the kernel size.
    pub stride: Option<Pair>,
    /// Rows and columns of zeros on every side, at most half the kernel.
    pub padding: Pair,
    /// Round the output size up, as long as the last window starts inside.
    pub ceil_mode: bool,
    /// Whether padding counts in the divisor.
    pub count_include_pad: bool,
    /// Divide by this instead.
    pub divisor_override: Option<usize>,
}

impl Default for AvgPool2dOptions {
    fn default() -> Self {
        AvgPool2dOptions {
            stride: None,
            padding: 0.into(),
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }
}

/// What size `interpolate` gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// This height and width.
    Size([usize; 2]),
    /// The input's times these, rounded down.
    Factor([f64; 2]),
}

/// How `interpolate` computes: <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterpolateMode {
    /// The pixel at floor(o * scale).
    Nearest,
    /// The pixel nearest to the centre.
    NearestExact,
    /// Two by two pixels.
    Bilinear {
        /// Corner pixels' centres coincide.
        align_corners: bool,
    },
    /// Four by four pixels, a = -0.75.
    Bicubic {
        /// Corner pixels' centres coincide.
        align_corners: bool,
    },
}

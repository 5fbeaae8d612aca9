//! Resampling of images: the values between pixels, and where an output stands in the input.

use super::attribute;

attribute! {
    /// How values between pixels are computed.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum ResizeMode {
        /// The pixel at the rounded coordinate.
        Nearest(value: Rounding),
        /// The triangle filter over 2 pixels per axis.
        Linear,
        /// Keys' cubic convolution over 4 pixels per axis with this coefficient: PyTorch and ONNX default to -0.75.
        Cubic(value: f32),
    }
}

attribute! {
    /// How [`ResizeMode::Nearest`] rounds a coordinate; the first two differ for halves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Rounding {
        /// To the nearest, halves down.
        RoundPreferFloor,
        /// To the nearest, halves up.
        RoundPreferCeil,
        /// Down.
        Floor,
        /// Up.
        Ceil,
        /// Up along an axis that shrinks, else down: `Resize` of ONNX's operator set 10.
        CeilWhenShrinking,
    }
}

attribute! {
    /// From the index `o` of an output to a coordinate in the input, where pixel `i` is at `i`: ONNX's
    /// `coordinate_transformation_mode`. `scale` is the given scale, or outputs / inputs.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Coordinates {
        /// `(o + 0.5) / scale - 0.5`
        HalfPixel,
        /// Half pixels relative to the image's centre, so that a rounded-down size does not shift the image.
        HalfPixelSymmetric,
        /// Half pixels, but 0 if there is one output.
        PytorchHalfPixel,
        /// `o / scale`
        Asymmetric,
        /// `o (inputs - 1) / (outputs - 1)`; 0 if there is one output.
        AlignCorners,
        /// `(o + 0.5) / scale`
        TfHalfPixelForNn,
        /// Outputs span a region; outside the image they are `extrapolation_value`.
        TfCropAndResize {
            /// Top, left, bottom, right, as fractions of the image's extent less one pixel.
            roi: [f32; 4],
            /// The value outside the image.
            extrapolation_value: f32,
        },
        /// `(o + 0.5) / scale - 0.5` in f64: PyTorch's with `align_corners = False`.
        TorchHalfPixel,
        /// `o (inputs - 1) / (outputs - 1)` in f64: PyTorch's with `align_corners = True`.
        TorchAlignCorners,
        /// `o / scale` in f32, as PyTorch's `nearest` has it; goes with [`Rounding::Floor`].
        TorchNearest {
            /// As many outputs as inputs are the inputs, twice as many repeat each, whatever the scale: what PyTorch does on a
            /// CPU where output height and width add up to 128 or less, and nowhere else.
            small: bool,
        },
        /// `(o + 0.5) / scale` in f32, as PyTorch's `nearest-exact` has it; goes with [`Rounding::Floor`].
        TorchNearestExact,
    }
}

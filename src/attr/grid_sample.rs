//! Sampling of an image where a grid says.

use super::attribute;

attribute! {
    /// How `grid_sample` computes values between pixels.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    #[non_exhaustive]
    pub enum GridSampleMode, "SAMPLE" {
        /// Linear between the two pixels on either side, along every axis.
        #[default]
        Bilinear,
        /// The pixel at the rounded coordinate; halves go to the even one.
        Nearest,
        /// Cubic over four by four pixels, with a = -0.75.
        Bicubic,
    }
}

attribute! {
    /// What `grid_sample` takes beyond the image.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    #[non_exhaustive]
    pub enum GridSamplePadding, "BEYOND" {
        /// Zeros.
        #[default]
        Zeros,
        /// The nearest pixel of the border.
        Border,
        /// The image mirrored: at the centres of its border pixels if corners are aligned, else at their edges.
        Reflection,
    }
}

//! Resampling layers.

use super::{Builder, Module};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{InterpolateMode, Scale};

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html>
#[derive(Clone, Copy, Debug)]
pub struct Upsample {
    to: Scale,
    mode: InterpolateMode,
}

impl Upsample {
    /// To a size or by a factor, by repeating the nearest pixel.
    pub fn new(to: Scale) -> Upsample {
        Upsample { to, mode: InterpolateMode::Nearest }
    }
    /// By this factor along both axes.
    pub fn by(factor: usize) -> Upsample {
        Upsample::new(Scale::Factor([factor as f64; 2]))
    }
    /// How values between pixels are made.
    pub fn mode(mut self, mode: InterpolateMode) -> Upsample {
        self.mode = mode;
        self
    }
}

impl Module for Upsample {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.interpolate(x, self.to, self.mode)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html>
#[derive(Clone, Copy, Debug)]
pub struct PixelShuffle(usize);

impl PixelShuffle {
    /// `[n, c r r, h, w]` to `[n, c, h r, w r]`.
    pub fn new(upscale_factor: usize) -> PixelShuffle {
        PixelShuffle(upscale_factor)
    }
}

impl Module for PixelShuffle {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.pixel_shuffle(x, self.0)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

//! Resampling, padding, and moving pixels between space and channels.

use super::{Graph, ValueId};
use crate::attr::{Coordinates, PadMode, ResizeMode, Rounding};
use crate::error::{Error, Result};
use crate::ops::pad::Pad;
use crate::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use crate::ops::resize::Resize2d;
use crate::options::{InterpolateMode, InterpolateOptions, Pair, ScaleFactor};
use crate::reference::resize::TORCH_SMALL;

impl Graph {
    /// `[n, c, h, w]` resampled to another height and width.
    ///
    /// # Errors
    /// The input is not an image; not exactly one of size and factor is set; the factor is to be computed anew, but a size is
    /// set; the result has no pixel; corners are to be aligned in a mode that has no such option.
    pub fn interpolate(&mut self, x: ValueId, o: InterpolateOptions) -> Result<ValueId> {
        let &[_, _, h, w] = self.dims(x)? else {
            return Err(Error::shape(format!("interpolate takes [n, c, h, w], not {:?}", self.shape(x))));
        };
        if o.recompute_scale_factor && o.scale_factor.is_none() {
            return Err(Error::argument("recompute_scale_factor needs a scale factor"));
        }
        let (size, scale) = match (o.size, o.scale_factor) {
            (Some(Pair(size)), None) => (size, None),
            (None, Some(ScaleFactor(f))) if f.iter().any(|f| !(f.is_finite() && *f > 0.0)) => {
                return Err(Error::argument(format!("scale factors {f:?} must be positive")));
            }
            (None, Some(ScaleFactor([y, x]))) => ([(h as f64 * y) as usize, (w as f64 * x) as usize], Some([y, x])),
            _ => return Err(Error::argument("interpolate takes either a size or a scale factor")),
        };
        let (mode, nearest) = match o.mode {
            InterpolateMode::Nearest => {
                let small = size[0].saturating_add(size[1]) <= TORCH_SMALL;
                (ResizeMode::Nearest(Rounding::Floor), Some(Coordinates::TorchNearest { small }))
            }
            InterpolateMode::NearestExact => {
                (ResizeMode::Nearest(Rounding::Floor), Some(Coordinates::TorchNearestExact))
            }
            InterpolateMode::Bilinear => (ResizeMode::Linear, None),
            InterpolateMode::Bicubic => (ResizeMode::Cubic(-0.75), None),
        };
        let coordinates = match nearest {
            Some(_) if o.align_corners => {
                return Err(Error::argument(format!("mode {:?} cannot align corners", o.mode)));
            }
            Some(nearest) => nearest,
            None if o.align_corners => Coordinates::TorchAlignCorners,
            None => Coordinates::TorchHalfPixel,
        };
        let scale = scale.filter(|_| !o.recompute_scale_factor);
        self.layer(Resize2d { scale, ..Resize2d::new(size, mode, coordinates) }, &[x])
    }

    /// The padded tensor: `pad` has two numbers per axis, before and after it, the last axis first. Negative numbers
    /// crop. Axes that it does not cover are not padded.
    ///
    /// # Errors
    /// `pad` has an odd length or covers more axes than there are; the mode cannot add as many elements.
    pub fn pad(&mut self, x: ValueId, pad: &[i64], mode: PadMode) -> Result<ValueId> {
        let rank = self.dims(x)?.len();
        let (pairs, []) = pad.as_chunks::<2>() else {
            return Err(Error::argument(format!("pad takes two numbers per axis, not {pad:?}")));
        };
        if pairs.len() > rank {
            return Err(Error::argument(format!("pad {pad:?} covers more axes than the {rank} of the tensor")));
        }
        let mut pads = vec![[0, 0]; rank - pairs.len()];
        pads.extend(pairs.iter().rev());
        self.layer(Pad { pads, mode }, &[x])
    }

    /// `[n, c r r, h, w]` to `[n, c, h r, w r]`, r being the factor.
    ///
    /// # Errors
    /// The input is not an image; its channels are not a multiple of `r r`.
    pub fn pixel_shuffle(&mut self, x: ValueId, upscale_factor: usize) -> Result<ValueId> {
        self.layer(PixelShuffle { factor: upscale_factor, order: Order::ChannelFirst }, &[x])
    }

    /// `[n, c, h r, w r]` to `[n, c r r, h, w]`, r being the factor.
    ///
    /// # Errors
    /// The input is not an image; height or width is not a multiple of r.
    pub fn pixel_unshuffle(&mut self, x: ValueId, downscale_factor: usize) -> Result<ValueId> {
        self.layer(PixelUnshuffle { factor: downscale_factor, order: Order::ChannelFirst }, &[x])
    }
}

//! Resampling, padding, and moving pixels between space and channels.

use std::array::from_fn;

use super::{Graph, ValueId};
use crate::attr::{Coordinates, PadMode, ResizeMode, Rounding};
use crate::error::{Error, Result};
use crate::ops::pad::Pad;
use crate::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use crate::ops::resize::Resize2d;
use crate::options::{InterpolateMode, InterpolateOptions};
use crate::reference::resize::TORCH_SMALL;

impl Graph {
    /// `[n, c, h, w]` resampled to another height and width, or `[n, c, d, h, w]` to another depth as well.
    ///
    /// # Errors
    /// The input is neither an image nor a volume; not exactly one of size and factor is set, or it is for other axes; the
    /// factor is to be computed anew, but a size is set; the result has no pixel; the mode is one of other axes; corners are to
    /// be aligned in a mode that has no such option.
    pub fn interpolate(&mut self, x: ValueId, o: InterpolateOptions) -> Result<ValueId> {
        match *self.dims(x)? {
            [_, _, h, w] => {
                let Target { size, scale } = Target::of([h, w], o)?;
                let (mode, coordinates) = modes(o, &size)?;
                self.layer(Resize2d { scale, ..Resize2d::new(size, mode, coordinates) }, &[x])
            }
            [n, c, d, h, w] => self.interpolate_volume(x, [n, c, d, h, w], o),
            ref shape => Err(Error::shape(format!("interpolate takes [n, c, h, w] or [n, c, d, h, w], not {shape:?}"))),
        }
    }

    /// Along the depth, and then each slice: the weights are products of one per axis.
    fn interpolate_volume(
        &mut self,
        x: ValueId,
        [n, c, d, h, w]: [usize; 5],
        o: InterpolateOptions,
    ) -> Result<ValueId> {
        let Target { size: [od, oh, ow], scale } = Target::of([d, h, w], o)?;
        let (mode, coordinates) = modes(o, &[od, oh, ow])?;
        let resized = |size, scale| Resize2d { scale, ..Resize2d::new(size, mode, coordinates) };
        let mut y = x;
        if od != d || scale.is_some_and(|[z, ..]| z != 1.0) {
            let columns = h.saturating_mul(w);
            let planes = self.reshape(y, [n, c, d, columns])?;
            y = self.layer(resized([od, columns], scale.map(|[z, ..]| [z, 1.0])), &[planes])?;
        }
        let slices = self.reshape(y, [n, c.saturating_mul(od), h, w])?;
        y = self.layer(resized([oh, ow], scale.map(|[_, y, x]| [y, x])), &[slices])?;
        self.reshape(y, [n, c, od, oh, ow])
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

/// What an image or a volume is resampled to.
struct Target<const AXES: usize> {
    size: [usize; AXES],
    /// Outputs per input, if it is not the ratio of the sizes.
    scale: Option<[f64; AXES]>,
}

impl<const AXES: usize> Target<AXES> {
    fn of(extents: [usize; AXES], o: InterpolateOptions) -> Result<Self> {
        if o.recompute_scale_factor && o.scale_factor.is_none() {
            return Err(Error::argument("recompute_scale_factor needs a scale factor"));
        }
        let misfit = |what: String| Error::argument(format!("{what} for {AXES} axes"));
        match (o.size, o.scale_factor) {
            (Some(given), None) => {
                let size = given.of().ok_or_else(|| misfit(format!("the size {given:?}")))?;
                Ok(Target { size, scale: None })
            }
            (None, Some(given)) => {
                let factors: [f64; AXES] = given.of().ok_or_else(|| misfit(format!("the scale factors {given:?}")))?;
                if factors.iter().any(|f| !(f.is_finite() && *f > 0.0)) {
                    return Err(Error::argument(format!("scale factors {factors:?} must be positive")));
                }
                let size = from_fn(|axis| (extents[axis] as f64 * factors[axis]) as usize);
                Ok(Target { size, scale: Some(factors).filter(|_| !o.recompute_scale_factor) })
            }
            _ => Err(Error::argument("interpolate takes either a size or a scale factor")),
        }
    }
}

/// How an output of this size is computed.
fn modes(o: InterpolateOptions, size: &[usize]) -> Result<(ResizeMode, Coordinates)> {
    let images_alone = |mode| match size.len() {
        2 => Ok(mode),
        axes => Err(Error::argument(format!("mode {:?} is one of images, not of {axes} axes", o.mode))),
    };
    let (mode, nearest) = match o.mode {
        InterpolateMode::Nearest => {
            // PyTorch's kernel for small images is one of images.
            let small = size.len() == 2 && size[0].saturating_add(size[1]) <= TORCH_SMALL;
            (ResizeMode::Nearest(Rounding::Floor), Some(Coordinates::TorchNearest { small }))
        }
        InterpolateMode::NearestExact => (ResizeMode::Nearest(Rounding::Floor), Some(Coordinates::TorchNearestExact)),
        InterpolateMode::Bilinear => (images_alone(ResizeMode::Linear)?, None),
        InterpolateMode::Trilinear if size.len() == 3 => (ResizeMode::Linear, None),
        InterpolateMode::Trilinear => return Err(Error::argument("mode Trilinear is one of volumes, not of images")),
        InterpolateMode::Bicubic => (images_alone(ResizeMode::Cubic(-0.75))?, None),
    };
    match nearest {
        Some(_) if o.align_corners => Err(Error::argument(format!("mode {:?} cannot align corners", o.mode))),
        Some(nearest) => Ok((mode, nearest)),
        None if o.align_corners => Ok((mode, Coordinates::TorchAlignCorners)),
        None => Ok((mode, Coordinates::TorchHalfPixel)),
    }
}

//! `pixel_shuffle` and `pixel_unshuffle`: channels to pixels and back.

use super::{Op, Site, Variant, built_in, expect_image, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, params};
use crate::gpu::pieces::FLAT;
pub use crate::reference::pixel_shuffle::Order;
use crate::reference::pixel_shuffle::{shuffle, unshuffle};
use crate::shape::Desc;
use crate::tensor::Tensor;

static SHUFFLE: Kernel = kernel!("pixel_shuffle", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&SHUFFLE];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_shuffle.html>
///
/// Input: `[n, c r r, h, w]` of any type. Output: `[n, c, h r, w r]`, r being the factor.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelShuffle {
    /// r: every pixel becomes r by r pixels.
    pub factor: usize,
    /// Where a pixel's parts lie among the channels.
    pub order: Order,
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_unshuffle.html>
///
/// Input: `[n, c, h r, w r]` of any type. Output: `[n, c r r, h, w]`, r being the factor.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelUnshuffle {
    /// r: r by r pixels become one.
    pub factor: usize,
    /// Where a pixel's parts lie among the channels.
    pub order: Order,
}

/// The launch that shuffles `[n, c r r, h, w]` to `[n, c, h r, w r]`, or back.
fn launch([n, c, h, w]: [usize; 4], r: usize, order: Order, unshuffle: bool) -> Launch {
    let [step_c, step_part] = order.steps(r * r, c);
    Launch::flat(&SHUFFLE, n * c * h * w * r * r, params!(n, c, h, w, r, step_c, step_part))
        .set("UNSHUFFLE", u8::from(unshuffle))
}

impl PixelShuffle {
    /// `[n, c, h, w]` of an input `[n, c r r, h, w]`.
    fn sizes(&self, inputs: &[Desc]) -> Result<[usize; 4]> {
        expect_inputs(self, inputs, 1..=1)?;
        let [n, c, h, w] = expect_image(&inputs[0])?;
        let parts = self.factor.checked_mul(self.factor).filter(|&p| p > 0 && c.is_multiple_of(p));
        let Some(parts) = parts else {
            return Err(Error::shape(format!("{c} channels are not a multiple of {}^2", self.factor)));
        };
        Ok([n, c / parts, h, w])
    }
}

impl Op for PixelShuffle {
    built_in!("pixel_shuffle": factor, order);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        let ([n, c, h, w], r) = (self.sizes(inputs)?, self.factor);
        let too_large = || Error::unsupported(format!("the factor {r} makes the image too large"));
        let sides = h.checked_mul(r).zip(w.checked_mul(r)).ok_or_else(too_large)?;
        Ok(vec![Desc::new([n, c, sides.0, sides.1], inputs[0].dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let sizes = self.sizes(&[inputs[0].desc()])?;
        Ok(vec![shuffle(&inputs[0], sizes, self.factor, self.order)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        Ok(vec![Variant::single(site, launch(self.sizes(site.inputs)?, self.factor, self.order, false))])
    }
}

impl PixelUnshuffle {
    /// `[n, c, h, w]` of an input `[n, c, h r, w r]`.
    fn sizes(&self, inputs: &[Desc]) -> Result<[usize; 4]> {
        expect_inputs(self, inputs, 1..=1)?;
        let [n, c, h, w] = expect_image(&inputs[0])?;
        let r = self.factor;
        if r == 0 || !h.is_multiple_of(r) || !w.is_multiple_of(r) {
            return Err(Error::shape(format!("{h} x {w} pixels are not a multiple of {r}")));
        }
        Ok([n, c, h / r, w / r])
    }
}

impl Op for PixelUnshuffle {
    built_in!("pixel_unshuffle": factor, order);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        let [n, c, h, w] = self.sizes(inputs)?;
        let channels = self.factor.checked_mul(self.factor).and_then(|parts| parts.checked_mul(c));
        let Some(channels) = channels else {
            return Err(Error::unsupported(format!("the factor {} makes too many channels", self.factor)));
        };
        Ok(vec![Desc::new([n, channels, h, w], inputs[0].dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let sizes = self.sizes(&[inputs[0].desc()])?;
        Ok(vec![unshuffle(&inputs[0], sizes, self.factor, self.order)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        Ok(vec![Variant::single(site, launch(self.sizes(site.inputs)?, self.factor, self.order, true))])
    }
}

//! `fold`: an image as the sum of the windows that were taken of it.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::attr::Window;
use crate::bound::{TINY, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, nested, params};
use crate::gpu::pieces::FLAT;
use crate::reference::fold::fold;
use crate::shape::{Desc, MAX_ELEMENTS};
use crate::tensor::Tensor;

static FOLD: Kernel = kernel!("fold", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&FOLD];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html>, and
/// <https://onnx.ai/onnx/operators/onnx__Col2Im.html>
///
/// Input: x `[n, c kh kw, windows]`, the taps of every place of the window. Output `[n, c, size[0], size[1]]`: every pixel is the
/// sum of the taps that lie on it; 0 where none does.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// The window; what of it lies in the padding is lost.
    pub window: Window,
    /// The height and the width of the image.
    pub size: [usize; 2],
}

impl Fold {
    /// Images, channels, and the places of the window along both axes.
    fn places(&self, x: &[usize]) -> Result<([usize; 2], [usize; 2])> {
        let [h, w] = self.size;
        super::window::check(&self.window, &[1, 1, h, w])?;
        let taps = self.window.taps();
        let &[n, rows, windows] = x else {
            return Err(Error::shape(format!("the input must be [n, c kh kw, windows], not {x:?}")));
        };
        if !rows.is_multiple_of(taps) {
            let kernel = self.window.kernel;
            return Err(Error::shape(format!(
                "{rows} rows are no channels of {taps} taps each (the kernel is {kernel:?})"
            )));
        }
        let (Some(oh), Some(ow)) = (self.window.outputs(0, h), self.window.outputs(1, w)) else {
            let Window { kernel, padding, dilation, .. } = self.window;
            return Err(Error::shape(format!(
                "the kernel {kernel:?} (dilation {dilation:?}) exceeds the image {h} x {w} padded by {padding:?}"
            )));
        };
        if oh.checked_mul(ow) != Some(windows) {
            return Err(Error::shape(format!("an image of {h} x {w} has {oh} x {ow} windows, the input {windows}")));
        }
        let outputs = [n, rows / taps, h, w].iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        if outputs.is_none_or(|n| n >= MAX_ELEMENTS) {
            return Err(Error::unsupported(format!("{n} images of {h} x {w} pixels: too many (2^31)")));
        }
        Ok(([n, rows / taps], [oh, ow]))
    }
}

impl Op for Fold {
    built_in!("fold": @window; size);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let ([n, c], _) = self.places(&inputs[0].shape)?;
        Ok(vec![Desc::f32([n, c, self.size[0], self.size[1]])])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let ([n, c], places) = self.places(inputs[0].shape())?;
        let sums = fold(inputs[0].f32s(), n * c, &self.window, self.size, places, |v| v);
        let y: Vec<f32> = sums.into_iter().map(|(sum, _)| sum as f32).collect();
        Ok(vec![Tensor::of([n, c, self.size[0], self.size[1]], y)])
    }
    /// |error| <= gamma_(k - 1) sum |x| for the k taps that lie on a pixel, in any order; each, and the sum, may be flushed.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let ([n, c], places) = self.places(inputs[0].shape())?;
        let sums = fold(inputs[0].f32s(), n * c, &self.window, self.size, places, f64::abs);
        let bound = |(sum, taps): (f64, usize)| gamma(taps.saturating_sub(1)) * sum + TINY * 2.0 * taps as f64;
        Ok(Some(vec![sums.into_iter().map(|of| bound(of) as f32).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let ([n, c], [oh, ow]) = self.places(&site.inputs[0].shape)?;
        let (planes, [ih, iw]) = (n * c, self.size);
        let Window { kernel: [kh, kw], stride: [sy, sx], padding: [[py, _], [px, _]], dilation: [dy, dx] } =
            self.window;
        let launch = Launch::flat(&FOLD, planes * ih * iw, params!(planes, ih, iw, oh, ow, sy, sx, py, px, dy, dx));
        let launch = launch.iterations(nested(&[kh, kw])).set("KH", kh as u32).set("KW", kw as u32);
        Ok(vec![Variant::single(site, launch)])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

//! `deform_columns`: what a deformable convolution multiplies by its weight: the image at the taps of every window, each moved by
//! an offset of its own.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32, expect_image};
use crate::attr::Window;
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::{FLAT, NAN};
use crate::reference::deform_columns::{Moved, deform_columns};
use crate::shape::{Desc, MAX_ELEMENTS};
use crate::tensor::Tensor;

static COLUMNS: Kernel = kernel!("deform_columns", NAN, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&COLUMNS];

/// <https://docs.pytorch.org/vision/stable/generated/torchvision.ops.deform_conv2d.html>, and
/// <https://onnx.ai/onnx/operators/onnx__DeformConv.html>
///
/// Inputs: x `[n, c, ih, iw]`, offsets `[n, groups kh kw 2, oh, ow]` (vertical, horizontal), and, if it is there, a mask
/// `[n, groups kh kw, oh, ow]`. Output `[n, c kh kw, oh, ow]`: for every channel and tap the image between four pixels, zeros
/// beyond it, times the mask. A NaN among the offsets gives NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct DeformColumns {
    /// The window without offsets.
    pub window: Window,
    /// Groups of channels that have their own offsets.
    pub groups: usize,
}

impl DeformColumns {
    /// The places of the window along both axes.
    fn places(&self, x: &Desc) -> Result<[usize; 2]> {
        let [_, _, ih, iw] = expect_image(x)?;
        super::window::check(&self.window, &x.shape)?;
        let (Some(oh), Some(ow)) = (self.window.outputs(0, ih), self.window.outputs(1, iw)) else {
            let Window { kernel, padding, dilation, .. } = self.window;
            return Err(Error::shape(format!(
                "the kernel {kernel:?} (dilation {dilation:?}) exceeds the input padded by {padding:?}"
            )));
        };
        Ok([oh, ow])
    }

    /// What `f` makes of the inputs.
    fn evaluate<T>(&self, inputs: &[Tensor], f: impl FnOnce(&Moved<'_>) -> T) -> Result<T> {
        let places = self.places(&inputs[0].desc())?;
        let [_, channels, h, w] = inputs[0].shape()[..] else { unreachable!("the shape rule holds") };
        let (x, offset, mask) = (inputs[0].f32s(), inputs[1].f32s(), inputs.get(2).map(Tensor::f32s));
        let (window, groups, size) = (&self.window, self.groups, [h, w]);
        Ok(f(&Moved { x, offset, mask, channels, size, window, groups, places }))
    }
}

impl Op for DeformColumns {
    built_in!("deform_columns": @window; groups);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 2..=3)?;
        let [n, c, ih, iw] = expect_image(&inputs[0])?;
        if ih == 0 || iw == 0 {
            return Err(Error::shape("the image has no pixels"));
        }
        let ([oh, ow], taps, groups) = (self.places(&inputs[0])?, self.window.taps(), self.groups);
        if groups == 0 || groups > c.max(1) || !c.is_multiple_of(groups) {
            return Err(Error::shape(format!("{c} channels are not divided into {groups} groups of offsets")));
        }
        let offsets = [n, 2 * groups * taps, oh, ow];
        if inputs[1].shape != offsets {
            return Err(Error::shape(format!("the offsets must be {offsets:?}, not {:?}", inputs[1].shape)));
        }
        let masks = [n, groups * taps, oh, ow];
        if let Some(mask) = inputs.get(2).filter(|mask| mask.shape != masks) {
            return Err(Error::shape(format!("the mask must be {masks:?}, not {:?}", mask.shape)));
        }
        let columns = [n, c, taps, oh, ow].iter().try_fold(1usize, |all, &n| all.checked_mul(n));
        if columns.is_none_or(|n| n >= MAX_ELEMENTS) {
            return Err(Error::unsupported(format!(
                "{taps} taps of {oh} x {ow} windows of {c} channels: too many (2^31)"
            )));
        }
        Ok(vec![Desc::f32([n, c * taps, oh, ow])])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [oh, ow] = self.places(&inputs[0].desc())?;
        let shape = [inputs[0].shape()[0], inputs[0].shape()[1] * self.window.taps(), oh, ow];
        Ok(vec![Tensor::of(shape, self.evaluate(inputs, deform_columns)?)])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![self.evaluate(inputs, bound::deform_columns::bounds)?]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let [n, c, ih, iw] = expect_image(&site.inputs[0])?;
        let ([oh, ow], groups) = (self.places(&site.inputs[0])?, self.groups);
        let Window { kernel: [kh, kw], stride: [sy, sx], padding: [[py, _], [px, _]], dilation: [dy, dx] } =
            self.window;
        let params = params!(n, c, ih, iw, oh, ow, groups, sy, sx, py, px, dy, dx, nan: f32::NAN, zero: 0u32);
        let masked = site.own_inputs() > 2;
        // Without a mask the kernel reads none of what stands for it.
        let mask = Arg::Input(if masked { 2 } else { 1 });
        let launch = Launch::flat(&COLUMNS, n * c * kh * kw * oh * ow, params)
            .set("KH", kh as u32)
            .set("KW", kw as u32)
            .set("MASKED", u8::from(masked))
            .reads([Arg::Input(0), Arg::Input(1), mask])
            .writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        9 * outputs[0].numel() as u64
    }
}

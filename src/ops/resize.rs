//! `interpolate` and ONNX's `Resize` and `Upsample`, over the height and the width of images.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32, expect_image};
use crate::attr::{Coordinates, ResizeMode};
use crate::bound::{TINY, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{FLAT, RESIZE_TAPS};
use crate::reference::resize::{Axis, resize};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

static RESIZE: Kernel = kernel!("resize", RESIZE_TAPS, FLAT).by_values();
static RESIZE_C4: Kernel = kernel!("resize_c4", "resize", RESIZE_TAPS, FLAT).by_blocks();
static REPEAT: Kernel = kernel!("resize_repeat", FLAT);
static REPEAT_C4: Kernel = kernel!("resize_repeat_c4", FLAT).floats();

pub(super) const KERNELS: &[&Kernel] = &[&RESIZE, &RESIZE_C4, &REPEAT, &REPEAT_C4];

/// The most copies of a pixel per invocation: with more there are too few invocations.
const MAX_COPIES: usize = 16;

/// The most taps of an output along an axis: antialiasing needs many when it shrinks much.
const MAX_TAPS: usize = 1 << 12;

/// The most taps of all outputs along an axis together: they are in a table, 8 bytes each, made before the first run.
const MAX_TABLE: usize = 1 << 21;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html>,
/// <https://onnx.ai/onnx/operators/onnx__Resize.html>
///
/// Input: x `[n, c, ih, iw]`. Output `[n, c, size[0], size[1]]`. PyTorch's modes are
///
/// | PyTorch | mode | coordinates |
/// |---|---|---|
/// | nearest | `Nearest(Floor)` | `TorchNearest`, small or not |
/// | nearest-exact | `Nearest(Floor)` | `TorchNearestExact` |
/// | bilinear, bicubic | `Linear`, `Cubic(-0.75)` | `TorchHalfPixel`, or `TorchAlignCorners` |
/// | .. with antialias | the same | and `antialias` and `exclude_outside` |
#[derive(Clone, Debug, PartialEq)]
pub struct Resize2d {
    /// Height and width of the output.
    pub size: [usize; 2],
    /// How values between pixels are computed.
    pub mode: ResizeMode,
    /// The coordinates of the output's pixels in the input.
    pub coordinates: Coordinates,
    /// Outputs per input, vertical and horizontal, if coordinates use this instead of the ratio of the sizes: PyTorch's
    /// `scale_factor`, ONNX's `scales`.
    pub scale: Option<[f64; 2]>,
    /// Whether taps outside the image have weight 0, instead of repeating its border.
    pub exclude_outside: bool,
    /// Whether the filter is widened when shrinking; `Nearest` has no filter.
    pub antialias: bool,
}

impl Resize2d {
    /// The ratio of the sizes, nothing excluded, no antialiasing.
    pub fn new(size: [usize; 2], mode: ResizeMode, coordinates: Coordinates) -> Resize2d {
        Resize2d { size, mode, coordinates, scale: None, exclude_outside: false, antialias: false }
    }

    fn axes(&self, x: &[usize]) -> [Axis; 2] {
        [0, 1].map(|axis| Axis {
            inputs: x[2 + axis],
            outputs: self.size[axis],
            scale: self.scale.map(|s| s[axis]),
            mode: self.mode,
            coordinates: self.coordinates,
            roi: match self.coordinates {
                Coordinates::TfCropAndResize { roi, .. } => [roi[axis], roi[2 + axis]],
                _ => [0.0, 1.0],
            },
            exclude_outside: self.exclude_outside,
            antialias: self.antialias,
        })
    }

    fn outside(&self) -> f32 {
        match self.coordinates {
            Coordinates::TfCropAndResize { extrapolation_value, .. } => extrapolation_value,
            _ => 0.0,
        }
    }

    fn evaluate(
        &self,
        x: &Tensor,
        outside: f32,
        weigh: impl Fn(f64) -> f64 + Sync,
        round: impl Fn(f64) -> f32 + Sync,
    ) -> Vec<f32> {
        resize(x.f32s(), x.shape()[0] * x.shape()[1], &self.axes(x.shape()), outside, weigh, round)
    }

    /// Every variant in this layout, best first.
    fn launches_in(&self, x: &[usize], layout: Layout) -> Vec<Launch> {
        self.repeat(x, layout).into_iter().chain([self.taps(x, layout)]).collect()
    }

    /// Copies of whole pixels, if that suffices.
    fn repeat(&self, x: &[usize], layout: Layout) -> Option<Launch> {
        let [ry, rx] = [self.size[0] / x[2], self.size[1] / x[3]];
        let repeats = |(axis, factor): (&Axis, usize)| {
            axis.outputs == axis.inputs * factor
                && (0..axis.outputs).all(|o| axis.taps(o).is_some_and(|taps| taps[0].at == o / factor))
        };
        if ry * rx > MAX_COPIES || !matches!(self.mode, ResizeMode::Nearest(_)) {
            return None;
        }
        if !self.axes(x).iter().zip([ry, rx]).all(repeats) {
            return None;
        }
        let (n, c, ih, iw) = (x[0], x[1], x[2], x[3]);
        let launch = match layout {
            Layout::RowMajor if !iw.is_multiple_of(4) => return None,
            Layout::RowMajor => {
                let (rows, iw4) = (n * c * ih, iw / 4);
                Launch::flat(&REPEAT, rows * iw4, params!(rows, iw4))
            }
            Layout::ChannelsLast => {
                let (rows, c4) = (n * ih, c.div_ceil(4));
                Launch::flat(&REPEAT_C4, rows * iw * c4, params!(rows, iw, c4))
            }
        };
        let launch = launch.set("RY", ry as u32).set("RX", rx as u32);
        Some(launch.reads([Arg::Input(0)]).writes([Arg::Output(0)]))
    }

    /// Sums over the taps, which come from tables.
    fn taps(&self, x: &[usize], layout: Layout) -> Launch {
        let axes = self.axes(x);
        let (n, c, ih, iw, [oh, ow]) = (x[0], x[1], x[2], x[3], self.size);
        let params = params!(n, c, ih, iw, oh, ow, outside: self.outside());
        let (kernel, images, count) = match layout {
            Layout::RowMajor => (&RESIZE, 1, n * c),
            Layout::ChannelsLast => (&RESIZE_C4, n, c.div_ceil(4)),
        };
        let blocks = count.clamp(1, 4);
        let invocations = images * count.div_ceil(blocks);
        let taps = [0, 1].map(|axis: usize| axes[axis].tap_count());
        let cropped = axes.iter().any(|a| (0..a.outputs).any(|o| a.taps(o).is_none()));
        Launch::flat(kernel, invocations * oh * ow, params)
            .iterations(nested(&taps))
            .set("BLOCKS", blocks as u32)
            .set("TAPS_Y", taps[0] as u32)
            .set("TAPS_X", taps[1] as u32)
            .set("CROPPED", u8::from(cropped))
            .tables(axes.map(|a| table(&a)))
            .reads([Arg::Input(0), Arg::Table(0), Arg::Table(1)])
            .writes([Arg::Output(0)])
    }
}

/// An error unless the tables of these axes are of a size that kernels take.
pub(super) fn affordable(axes: &[Axis; 2]) -> Result<()> {
    let [ih, iw, oh, ow] = [axes[0].inputs, axes[1].inputs, axes[0].outputs, axes[1].outputs];
    let refused = |most, what| {
        Err(Error::unsupported(format!("{ih} x {iw} pixels to {oh} x {ow} needs more than {most} {what} per axis")))
    };
    if axes.iter().any(|a| a.tap_count() > MAX_TAPS) {
        return refused(MAX_TAPS, "taps");
    }
    if axes.iter().any(|a| a.outputs.saturating_mul(a.tap_count()) > MAX_TABLE) {
        return refused(MAX_TABLE, "weights");
    }
    Ok(())
}

/// The table of taps of every output of an axis: index and weight; `u32::MAX` where there are none.
pub(super) fn table(axis: &Axis) -> Vec<u32> {
    let none = || vec![u32::MAX; 2 * axis.tap_count()];
    let words = |o| match axis.taps(o) {
        Some(taps) => taps.iter().flat_map(|t| [t.at as u32, (t.weight as f32).to_bits()]).collect(),
        None => none(),
    };
    (0..axis.outputs).flat_map(words).collect()
}

impl Op for Resize2d {
    built_in!("resize2d": size, mode, coordinates, scale, exclude_outside, antialias);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let [n, c, ih, iw] = expect_image(&inputs[0])?;
        let [oh, ow] = self.size;
        if [ih, iw, oh, ow].contains(&0) {
            return Err(Error::shape(format!("{ih} x {iw} pixels to {oh} x {ow}: none of these may be 0")));
        }
        if let Some(scale) = self.scale.filter(|s| s.iter().any(|v| !(v.is_finite() && *v > 0.0))) {
            return Err(Error::argument(format!("the scale {scale:?} must be positive")));
        }
        if let Coordinates::TfCropAndResize { roi, .. } = self.coordinates
            && roi.iter().any(|v| !v.is_finite())
        {
            return Err(Error::argument(format!("the region {roi:?} must be finite")));
        }
        affordable(&self.axes(&inputs[0].shape))?;
        Ok(vec![Desc::f32([n, c, oh, ow])])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let y = self.evaluate(x, self.outside(), |w| w, |sum| sum as f32);
        Ok(vec![Tensor::of([x.shape()[0], x.shape()[1], self.size[0], self.size[1]], y)])
    }
    /// Nearest copies. Else |error| <= gamma_(Ky + Kx + 2) sum |wy| |wx| |x| for Ky x Kx taps: two weights are rounded to
    /// f32, a row is Kx products and additions, the rows are Ky; every product may be flushed.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        if matches!(self.mode, ResizeMode::Nearest(_)) {
            return Ok(Some(vec![vec![0.0; outputs[0].numel()]]));
        }
        let [ky, kx] = self.axes(inputs[0].shape()).map(|a| a.tap_count());
        let (scale, flushed) = (gamma(ky + kx + 2), TINY * (2 * ky * kx) as f64);
        let bound = |sum| (sum * scale + flushed) as f32;
        Ok(Some(vec![self.evaluate(&inputs[0].map(f64::abs), 0.0, f64::abs, bound)]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0].shape;
        let mut layouts = [Layout::RowMajor, Layout::ChannelsLast];
        if site.is_channels_last(0) {
            layouts.reverse();
        }
        let variants =
            |layout| self.launches_in(x, layout).into_iter().map(move |l| Variant::in_layout(site, layout, vec![l]));
        Ok(layouts.into_iter().flat_map(variants).collect())
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        let [ky, kx] = self.axes(&inputs[0].shape).map(|a| a.tap_count());
        if matches!(self.mode, ResizeMode::Nearest(_)) { 0 } else { 2 * (outputs[0].numel() * ky * (kx + 1)) as u64 }
    }
}

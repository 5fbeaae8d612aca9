//! Resampling of images, as `torch.nn.functional.interpolate` and ONNX's `Resize`: along each axis an output is a
//! weighted sum of a few inputs, its taps. [`Axis::taps`] lists them with their weights; kernels get the same list.

use crate::attr::{Coordinates, ResizeMode, Rounding};
use crate::parallel;

/// The largest sum of output height and width for which PyTorch's kernel for small images runs.
pub const TORCH_SMALL: usize = 128;

/// One axis of a resampling.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// The number of pixels of the input.
    pub inputs: usize,
    /// The number of pixels of the output.
    pub outputs: usize,
    /// Outputs per input, if it is not the ratio of the sizes.
    pub scale: Option<f64>,
    /// How values between pixels are computed.
    pub mode: ResizeMode,
    /// The coordinates of outputs.
    pub coordinates: Coordinates,
    /// Start and end of the region of [`Coordinates::TfCropAndResize`].
    pub roi: [f32; 2],
    /// Whether taps outside the image have weight 0, instead of repeating its border.
    pub exclude_outside: bool,
    /// Whether the filter is widened when shrinking.
    pub antialias: bool,
}

/// An input and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// Its index, inside the image.
    pub at: usize,
    /// Its weight.
    pub weight: f64,
}

impl Axis {
    /// The coordinate of output `o`.
    fn coordinate(&self, o: usize) -> f64 {
        match self.coordinates {
            // `bilinear` copies along an axis whose size stays, whatever the scale; `bicubic` does not.
            Coordinates::TorchHalfPixel if self.mode == ResizeMode::Linear && self.outputs == self.inputs => o as f64,
            Coordinates::TorchHalfPixel => (o as f64 + 0.5) / self.scale() - 0.5,
            Coordinates::TorchAlignCorners if self.outputs == 1 => 0.0,
            Coordinates::TorchAlignCorners => o as f64 * (self.inputs as f64 - 1.0) / (self.outputs as f64 - 1.0),
            Coordinates::TorchNearest { small: true } if self.outputs == self.inputs => o as f64,
            Coordinates::TorchNearest { small: true } if self.outputs == 2 * self.inputs => (o / 2) as f64,
            Coordinates::TorchNearest { .. } => (o as f32 * self.inverse_scale()).into(),
            Coordinates::TorchNearestExact => ((o as f32 + 0.5) * self.inverse_scale()).into(),
            _ => self.onnx_coordinate(o).into(),
        }
    }

    /// In f32, one operation after another as in ONNX Runtime, a few of them in f64 as there.
    fn onnx_coordinate(&self, o: usize) -> f32 {
        let (n, i) = (self.outputs as f32, self.inputs as f32);
        let scale = self.scale.map_or(n / i, |s| s as f32);
        let [start, end] = self.roi;
        let o = o as f32;
        match self.coordinates {
            _ if scale == 1.0 && self.roi == [0.0, 1.0] => o,
            Coordinates::TfCropAndResize { .. } if self.outputs == 1 => {
                (0.5 * f64::from(start + end) * f64::from(i - 1.0)) as f32
            }
            Coordinates::TfCropAndResize { .. } => start * (i - 1.0) + (o * (end - start) * (i - 1.0)) / (n - 1.0),
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if self.outputs == 1 => 0.0,
            Coordinates::Asymmetric => o / scale,
            Coordinates::AlignCorners => o * (i - 1.0) / (n - 1.0),
            Coordinates::TfHalfPixelForNn => (o + 0.5) / scale,
            Coordinates::HalfPixelSymmetric => {
                let offset = i / 2.0 * (1.0 - n / (scale * i));
                (f64::from(offset) + (f64::from(o) + 0.5) / f64::from(scale) - 0.5) as f32
            }
            _ => (o + 0.5) / scale - 0.5,
        }
    }

    /// Outputs per input.
    fn scale(&self) -> f64 {
        self.scale.unwrap_or(self.outputs as f64 / self.inputs as f64)
    }

    /// Inputs per output, as PyTorch has it.
    fn inverse_scale(&self) -> f32 {
        self.scale.map_or(self.inputs as f32 / self.outputs as f32, |s| (1.0 / s) as f32)
    }

    /// The compression of the filter: below 1 if antialiasing widens it.
    fn stretch(&self) -> f64 {
        if self.antialias { self.scale().min(1.0) } else { 1.0 }
    }

    /// The half width of the filter.
    fn support(&self) -> f64 {
        let own = if matches!(self.mode, ResizeMode::Cubic(_)) { 2.0 } else { 1.0 };
        own / self.stretch()
    }

    /// The number of taps of every output; some may have weight 0.
    pub fn tap_count(&self) -> usize {
        match self.mode {
            ResizeMode::Nearest(_) => 1,
            _ => (2.0 * self.support()).ceil() as usize,
        }
    }

    /// The taps of output `o`, or `None` if it lies outside the image and takes the extrapolation value.
    pub fn taps(&self, o: usize) -> Option<Vec<Tap>> {
        let x = self.coordinate(o);
        let last = self.inputs as f64 - 1.0;
        if matches!(self.coordinates, Coordinates::TfCropAndResize { .. }) && !(0.0..=last).contains(&x) {
            return None;
        }
        let clamp = |i: f64| i.clamp(0.0, last) as usize;
        if let ResizeMode::Nearest(rounding) = self.mode {
            let nearest = match rounding {
                Rounding::RoundPreferFloor if is_half(x) => x.floor(),
                Rounding::RoundPreferCeil if is_half(x) => x.ceil(),
                Rounding::RoundPreferFloor | Rounding::RoundPreferCeil => x.round(),
                Rounding::Floor => x.floor(),
                Rounding::CeilWhenShrinking if self.scale() >= 1.0 => x.floor(),
                Rounding::Ceil | Rounding::CeilWhenShrinking => x.ceil(),
            };
            return Some(vec![Tap { at: clamp(nearest), weight: 1.0 }]);
        }
        let first = (x - self.support()).floor() + 1.0;
        let tap = |k: usize| {
            let i = first + k as f64;
            let inside = (0.0..=last).contains(&i);
            let weight = if inside || !self.exclude_outside { self.filter((x - i) * self.stretch()) } else { 0.0 };
            Tap { at: clamp(i), weight }
        };
        let mut taps: Vec<Tap> = (0..self.tap_count()).map(tap).collect();
        if self.exclude_outside || self.antialias {
            let sum: f64 = taps.iter().map(|t| t.weight).sum();
            taps.iter_mut().for_each(|t| t.weight /= sum);
        }
        Some(taps)
    }

    /// The filter at distance `d`. Keys, Cubic convolution interpolation for digital image processing (1981), (15).
    fn filter(&self, d: f64) -> f64 {
        let d = d.abs();
        match self.mode {
            ResizeMode::Cubic(a) => {
                let a = f64::from(a);
                match d {
                    0.0..1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
                    1.0..2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
                    _ => 0.0,
                }
            }
            _ => (1.0 - d).max(0.0),
        }
    }
}

/// Whether a coordinate lies half-way between two pixels, but for rounding: ONNX Runtime allows this much.
fn is_half(x: f64) -> bool {
    (x - x.floor() - 0.5).abs() < 1e-6
}

/// `sum over the taps of oy and ox of wy wx x[plane, iy, ix]` in f64, `weigh` applied to the weights (the error bound
/// wants their magnitudes); `outside` where an axis has no taps; each through `round`. `x` is `[planes, ih, iw]`.
pub fn resize(
    x: &[f32],
    planes: usize,
    axes: &[Axis; 2],
    outside: f32,
    weigh: impl Fn(f64) -> f64 + Sync,
    round: impl Fn(f64) -> f32 + Sync,
) -> Vec<f32> {
    let [rows, columns] = axes.map(|a| (0..a.outputs).map(|o| a.taps(o)).collect::<Vec<_>>());
    let [ih, iw] = axes.map(|a| a.inputs);
    let [oh, ow] = axes.map(|a| a.outputs);
    let one = |i: usize| {
        let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
        let (Some(rows), Some(columns)) = (&rows[oy], &columns[ox]) else { return round(outside.into()) };
        let row = |r: &Tap| {
            let pixel = |c: &Tap| weigh(c.weight) * f64::from(x[(plane * ih + r.at) * iw + c.at]);
            weigh(r.weight) * columns.iter().map(pixel).sum::<f64>()
        };
        round(rows.iter().map(row).sum())
    };
    parallel::collect(planes * oh * ow, one)
}

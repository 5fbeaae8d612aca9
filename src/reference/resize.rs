//! Resampling of images, as `torch.nn.functional.interpolate` and ONNX's `Resize`: along each axis an output is a
//! weighted sum of a few inputs, its taps. [`Axis::taps`] lists them with their weights; kernels get the same list.

use rayon::prelude::*;

/// How values between pixels are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResizeMode {
    /// The pixel at the rounded coordinate.
    Nearest(Rounding),
    /// The triangle filter over 2 pixels per axis.
    Linear,
    /// Keys' cubic convolution over 4 pixels per axis with this coefficient: PyTorch and ONNX default to -0.75.
    Cubic(f32),
}

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
}

/// From the index `o` of an output to a coordinate in the input, where pixel `i` is at `i`: ONNX's
/// `coordinate_transformation_mode`. `scale` is the given scale, or outputs / inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coordinates {
    /// `(o + 0.5) / scale - 0.5`: PyTorch's with `align_corners = False`.
    HalfPixel,
    /// Half pixels relative to the image's centre, so that a rounded-down size does not shift the image.
    HalfPixelSymmetric,
    /// Half pixels, but 0 if there is one output.
    PytorchHalfPixel,
    /// `o / scale`
    Asymmetric,
    /// `o (inputs - 1) / (outputs - 1)`: PyTorch's with `align_corners = True`. Outputs are inputs x scale, not rounded,
    /// if a scale is given.
    AlignCorners,
    /// Outputs span a region; outside the image they are `extrapolation_value`.
    TfCropAndResize {
        /// Top, left, bottom, right, as fractions of the image's extent less one pixel.
        roi: [f32; 4],
        /// The value outside the image.
        extrapolation_value: f32,
    },
    /// `o / scale` in f32, as PyTorch's `nearest` has it; goes with [`Rounding::Floor`].
    TorchNearest,
    /// `(o + 0.5) / scale` in f32, as PyTorch's `nearest-exact` has it, with [`Rounding::Floor`], and ONNX's
    /// `tf_half_pixel_for_nn` with any.
    TorchNearestExact,
}

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
    pub roi: [f64; 2],
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
    /// The coordinate of output `o`; a quotient of integers, rounded once, where no scale is given.
    fn coordinate(&self, o: usize) -> f64 {
        let (i, n, o) = (self.inputs as f64, self.outputs as f64, o as f64);
        let (num, den) = self.scale.map_or((i, n), |s| (1.0, s));
        let half_pixel = ((2.0 * o + 1.0) * num - den) / (2.0 * den);
        let ratio = (num / den) as f32;
        match self.coordinates {
            Coordinates::HalfPixel => half_pixel,
            Coordinates::HalfPixelSymmetric => i / 2.0 * (1.0 - n / self.length()) + half_pixel,
            Coordinates::PytorchHalfPixel if self.outputs == 1 => 0.0,
            Coordinates::PytorchHalfPixel => half_pixel,
            Coordinates::Asymmetric => o * num / den,
            Coordinates::AlignCorners if self.length() <= 1.0 => 0.0,
            Coordinates::AlignCorners => o * (i - 1.0) / (self.length() - 1.0),
            Coordinates::TfCropAndResize { .. } if self.outputs == 1 => (self.roi[0] + self.roi[1]) * (i - 1.0) / 2.0,
            Coordinates::TfCropAndResize { .. } => {
                self.roi[0] * (i - 1.0) + o * (self.roi[1] - self.roi[0]) * (i - 1.0) / (n - 1.0)
            }
            Coordinates::TorchNearest => (o as f32 * ratio).into(),
            Coordinates::TorchNearestExact => ((o as f32 + 0.5) * ratio).into(),
        }
    }

    /// The number of outputs before rounding down.
    fn length(&self) -> f64 {
        self.scale.map_or(self.outputs as f64, |s| s * self.inputs as f64)
    }

    /// The compression of the filter: below 1 if antialiasing widens it.
    fn stretch(&self) -> f64 {
        if self.antialias { (self.length() / self.inputs as f64).min(1.0) } else { 1.0 }
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
                Rounding::RoundPreferFloor => (x - 0.5).ceil(),
                Rounding::RoundPreferCeil => (x + 0.5).floor(),
                Rounding::Floor => x.floor(),
                Rounding::Ceil => x.ceil(),
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

/// `sum over the taps of oy and ox of wy wx x[plane, iy, ix]` in f64, with `weigh` applied to the weights (the error
/// bound needs their magnitudes); `outside` where an axis has no taps. `x` is `[planes, ih, iw]`.
pub fn resize(x: &[f32], planes: usize, axes: &[Axis; 2], outside: f32, weigh: impl Fn(f64) -> f64 + Sync) -> Vec<f64> {
    let [rows, columns] = axes.map(|a| (0..a.outputs).map(|o| a.taps(o)).collect::<Vec<_>>());
    let [ih, iw] = axes.map(|a| a.inputs);
    let [oh, ow] = axes.map(|a| a.outputs);
    let one = |i: usize| {
        let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
        let (Some(rows), Some(columns)) = (&rows[oy], &columns[ox]) else { return outside.into() };
        let row = |r: &Tap| {
            let pixel = |c: &Tap| weigh(c.weight) * f64::from(x[(plane * ih + r.at) * iw + c.at]);
            weigh(r.weight) * columns.iter().map(pixel).sum::<f64>()
        };
        rows.iter().map(row).sum()
    };
    (0..planes * oh * ow).into_par_iter().map(one).collect()
}

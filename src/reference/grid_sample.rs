//! Images sampled where a grid says, as `torch.nn.functional.grid_sample`, and the grids of `affine_grid`.

use crate::attr::{GridSampleMode, GridSamplePadding};
use crate::parallel;

/// Coordinates beyond this are taken for it: 2^60, so that products with extents stay in the range of f32.
pub const FAR: f64 = (1u64 << 60) as f64;

/// The cubic filter's coefficient.
const A: f64 = -0.75;

/// An axis of an image, and how it is sampled.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Its pixels.
    pub extent: usize,
    /// How values between pixels are computed.
    pub mode: GridSampleMode,
    /// What lies beyond the pixels.
    pub padding: GridSamplePadding,
    /// Whether -1 and 1 are the centres of the border pixels, instead of their edges.
    pub align_corners: bool,
}

/// A pixel with its weight; `None` is a zero beyond the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    pub at: Option<usize>,
    pub weight: f64,
}

impl Axis {
    /// Pixels per unit of the grid.
    pub fn scale(&self) -> f64 {
        (self.extent - usize::from(self.align_corners)) as f64 / 2.0
    }

    /// The last pixel.
    pub fn last(&self) -> f64 {
        self.extent as f64 - 1.0
    }

    /// The period of the mirrored image; 1 where all is one pixel.
    pub fn period(&self) -> f64 {
        (4.0 * self.scale()).max(1.0)
    }

    /// The coordinate that a value of the grid means: pixel i is at i. What is not finite lies outside zeros and at an end of a
    /// border, but a NaN, and anything of a mirrored image, is at pixel 0.
    pub fn coordinate(&self, g: f64) -> f64 {
        match self.padding {
            _ if g.is_finite() => {
                let edge = if self.align_corners { 0.0 } else { 0.5 };
                (g.clamp(-FAR, FAR) + 1.0) * self.scale() - edge
            }
            GridSamplePadding::Zeros => -FAR,
            GridSamplePadding::Border if !g.is_nan() => FAR.copysign(g),
            GridSamplePadding::Border | GridSamplePadding::Reflection => 0.0,
        }
    }

    /// The coordinate within the image that stands for one beyond it.
    pub fn padded(&self, x: f64) -> f64 {
        match self.padding {
            GridSamplePadding::Zeros => x,
            GridSamplePadding::Border => x.clamp(0.0, self.last()),
            GridSamplePadding::Reflection => {
                let (low, period) = (if self.align_corners { 0.0 } else { -0.5 }, self.period());
                let part = (x - low).abs() % period;
                (part.min(period - part) + low).clamp(0.0, self.last())
            }
        }
    }

    /// The pixel at a whole coordinate.
    pub fn pixel(&self, i: f64) -> Option<usize> {
        (0.0..=self.last()).contains(&i).then_some(i as usize)
    }

    /// The pixels that a value of the grid takes, with their weights.
    pub fn taps(&self, g: f64) -> Vec<Tap> {
        let x = self.coordinate(g);
        let tap = |i: f64, weight: f64| Tap { at: self.pixel(i), weight };
        match self.mode {
            GridSampleMode::Nearest => vec![tap(self.padded(x).round_ties_even(), 1.0)],
            GridSampleMode::Bilinear => {
                let x = self.padded(x);
                let (first, t) = (x.floor(), x - x.floor());
                vec![tap(first, 1.0 - t), tap(first + 1.0, t)]
            }
            GridSampleMode::Bicubic => {
                let first = x.floor() - 1.0;
                let places = (0..4).map(|k| self.padded(first + f64::from(k)));
                places.zip(cubic(x - x.floor())).map(|(i, weight)| tap(i, weight)).collect()
            }
        }
    }
}

/// The weights of four pixels for a coordinate `t` behind the second. Keys, Cubic convolution interpolation for digital image
/// processing (1981), (15), as products, which lose no digits where a weight is near 0.
fn cubic(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    let inner = |t: f64, s: f64| s * (1.0 + t * (1.0 - (A + 2.0) * t));
    [A * t * s * s, inner(t, s), inner(s, t), A * s * t * t]
}

/// Images `[n, c, axes..]`, and a grid `[n, points, axes]` of coordinates, the innermost axis first.
#[derive(Clone, Copy, Debug)]
pub struct Sampled<'a> {
    pub x: &'a [f32],
    pub channels: usize,
    /// Of the image, the outermost first.
    pub axes: &'a [Axis],
    pub grid: &'a [f32],
    /// Points per image.
    pub points: usize,
}

impl<'a> Sampled<'a> {
    /// `f` of the plane and the point of the grid, outermost axis first, of every output `[n, c, points]`.
    pub fn each(&self, f: impl Fn(&'a [f32], &[f64]) -> f32 + Sync) -> Vec<f32> {
        let rank = self.axes.len();
        let size: usize = self.axes.iter().map(|axis| axis.extent).product();
        parallel::collect(self.x.len() / size * self.points, |i| {
            let (plane, point) = (i / self.points, i % self.points);
            let at = (plane / self.channels * self.points + point) * rank;
            let place: Vec<f64> = self.grid[at..at + rank].iter().rev().map(|&g| g.into()).collect();
            f(&self.x[plane * size..][..size], &place)
        })
    }

    /// Whether the result at a place is NaN, as PyTorch's is on a CPU: of images without depth, where a coordinate that is not
    /// finite reaches the weights.
    pub fn is_lost(&self, place: &[f64]) -> bool {
        loses(self.axes) && place.iter().any(|g| !g.is_finite())
    }
}

/// Whether a coordinate that is not finite makes the result NaN.
pub fn loses(axes: &[Axis]) -> bool {
    let (mode, padding) = (axes[0].mode, axes[0].padding);
    let weighs = match mode {
        GridSampleMode::Bilinear => padding == GridSamplePadding::Zeros,
        GridSampleMode::Nearest => false,
        GridSampleMode::Bicubic => true,
    };
    weighs && axes.len() == 2
}

/// The sum over the taps of every axis, the outermost first, of the weights `weigh` makes of theirs, times the pixels.
pub fn blend(plane: &[f32], axes: &[Axis], taps: &[Vec<Tap>], weigh: fn(f64) -> f64) -> f64 {
    let ([axis, inner @ ..], [first, rest @ ..]) = (axes, taps) else { return weigh(plane[0].into()) };
    let size = plane.len() / axis.extent;
    let part = |tap: &Tap| match tap.at {
        Some(i) => weigh(tap.weight) * blend(&plane[i * size..][..size], inner, rest, weigh),
        None => 0.0,
    };
    first.iter().map(part).sum()
}

/// `sum of wz wy wx x[n, c, iz, iy, ix]` in f64, rounded once.
pub fn grid_sample(sampled: &Sampled<'_>) -> Vec<f32> {
    sampled.each(|plane, place| {
        if sampled.is_lost(place) {
            return f32::NAN;
        }
        let taps: Vec<_> = sampled.axes.iter().zip(place).map(|(axis, &g)| axis.taps(g)).collect();
        blend(plane, sampled.axes, &taps, |v| v) as f32
    })
}

/// The centres of the pixels of an image with these extents, innermost axis first, each with a 1 behind it: rows of a matrix.
pub fn centres(extents: &[usize], align_corners: bool) -> Vec<f32> {
    let centre = |i: usize, extent: usize| match (extent, align_corners) {
        (1, _) => 0.0,
        (n, true) => 2.0 * i as f64 / (n as f64 - 1.0) - 1.0,
        (n, false) => (2.0 * i as f64 + 1.0) / n as f64 - 1.0,
    };
    let mut out = vec![];
    for mut rest in 0..extents.iter().product() {
        for &extent in extents.iter().rev() {
            out.push(centre(rest % extent, extent) as f32);
            rest /= extent;
        }
        out.push(1.0);
    }
    out
}

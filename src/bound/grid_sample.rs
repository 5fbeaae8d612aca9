//! Sampling of an image where a grid says: the coordinates are computed in f32.

use super::{TINY, UNIT, gamma};
use crate::attr::{GridSampleMode, GridSamplePadding};
use crate::reference::grid_sample::{Axis, FAR, Sampled, blend};

/// An axis of which a coordinate reaches more pixels than this has a coordinate without digits.
const MOST: f64 = 64.0;

/// The coordinates that an evaluation in f32 may have along an axis.
struct Reach {
    /// The pixels that any of them takes; `None` is a zero beyond the image.
    pixels: Vec<Option<usize>>,
    /// How far they are from the exact one.
    error: f64,
}

impl Axis {
    /// The error of the coordinate `(g + 1) scale - 1/2`: six roundings, whatever their order, of the sum, of the extent, which
    /// counts two, of the product, the difference, and the part behind a pixel, which counts for a pixel before the first.
    fn coordinate_error(&self, g: f64) -> f64 {
        if self.is_exact(g) {
            return 0.0;
        }
        gamma(6) * ((g.abs().min(FAR) + 1.0) * self.scale() + 1.0) + TINY * (self.scale() + 2.0)
    }

    /// What a mirrored coordinate x loses more: the distance from the mirror, a product, two differences and a sum round. A
    /// quotient within 6 units of a whole number may become the one below, which is twice as far from the right coordinate.
    fn mirror_error(&self, g: f64, x: f64) -> f64 {
        match self.padding {
            GridSamplePadding::Reflection if !self.is_exact(g) => gamma(18) * (x.abs() + self.period() + 1.0),
            _ => 0.0,
        }
    }

    /// Whether nothing rounds, in any order: every number in between is a multiple of a power of two that 20 bits hold. So no
    /// quotient is as near a whole number as its error, unless it is one.
    fn is_exact(&self, g: f64) -> bool {
        let unit = (0..20).map(|k| 0.5f64.powi(k)).find(|unit| g % unit == 0.0);
        let largest = (g.abs() + 1.0) * self.scale() + self.period() + 1.0;
        !g.is_finite() || unit.is_some_and(|unit| largest < unit / 2.0 * (1u64 << 20) as f64)
    }

    /// What the coordinates of a value of the grid reach; `None` where they have no digit.
    fn reach(&self, g: f64) -> Option<Reach> {
        let (x, error) = (self.coordinate(g), self.coordinate_error(g));
        match self.mode {
            GridSampleMode::Bicubic => self.cubic_reach(x, error),
            GridSampleMode::Bilinear | GridSampleMode::Nearest => self.linear_reach(x, error + self.mirror_error(g, x)),
        }
    }

    fn linear_reach(&self, x: f64, error: f64) -> Option<Reach> {
        // Farther out nothing changes.
        let (x, low, high) = match self.padding {
            GridSamplePadding::Zeros => (x, -2.0, self.last() + 2.0),
            GridSamplePadding::Border => (x, 0.0, self.last()),
            GridSamplePadding::Reflection => (self.padded(x), 0.0, self.last()),
        };
        let [from, to] = [x - error, x + error].map(|end| end.clamp(low, high));
        let (first, last) = match self.mode {
            GridSampleMode::Nearest => (from.round_ties_even(), to.round_ties_even()),
            _ => (from.floor(), to.floor() + 1.0),
        };
        Some(Reach { pixels: self.pixels(first, last, |i| i)?, error: error.min(to - from) })
    }

    /// Four pixels about each coordinate, each mirrored or clamped. Mirrored integers are exact as far as the coordinate has
    /// digits.
    fn cubic_reach(&self, x: f64, error: f64) -> Option<Reach> {
        let (low, high) = match self.padding {
            GridSamplePadding::Reflection if error >= 1.0 => return None,
            GridSamplePadding::Reflection => (f64::NEG_INFINITY, f64::INFINITY),
            GridSamplePadding::Zeros | GridSamplePadding::Border => (-4.0, self.last() + 4.0),
        };
        let [from, to] = [x - error, x + error].map(|end| end.clamp(low, high));
        let pixels = self.pixels(from.floor() - 1.0, to.floor() + 2.0, |i| self.padded(i))?;
        Some(Reach { pixels, error: error.min(to - from) })
    }

    fn pixels(&self, first: f64, last: f64, padded: impl Fn(f64) -> f64) -> Option<Vec<Option<usize>>> {
        let count = last - first;
        let pixels = (0..=count.min(MOST) as usize).map(|k| self.pixel(padded(first + k as f64)));
        // Only zeros lie beyond the image: the second of two pixels there has no weight.
        let kept = pixels.filter(|i| i.is_some() || self.padding == GridSamplePadding::Zeros);
        (count < MOST).then(|| kept.collect())
    }
}

/// The smallest and the largest of the pixels.
fn range(plane: &[f32], axes: &[Axis], reaches: &[Reach]) -> (f64, f64) {
    let ([axis, inner @ ..], [first, rest @ ..]) = (axes, reaches) else {
        let value = f64::from(plane[0]);
        return if value.is_finite() { (value, value) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    };
    let size = plane.len() / axis.extent;
    let of = |i: &Option<usize>| i.map_or((0.0, 0.0), |i| range(&plane[i * size..][..size], inner, rest));
    first.pixels.iter().map(of).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or_default()
}

/// What the weights of a filter are.
struct Filter {
    /// How much a result changes at most per pixel that a coordinate moves, relative to the range of the pixels.
    slope: f64,
    /// The most that the absolute weights of a point add up to.
    weights: f64,
    /// The roundings of an axis: those of a weight, relative, of the product and of the sums.
    roundings: usize,
}

/// Of the cubic filter the slopes along an axis add up to 3.2 at most, of which half counts, since they cancel; the weights of an
/// axis to 1.375. Its weights have at most 28 roundings.
fn filter(mode: GridSampleMode) -> Filter {
    match mode {
        GridSampleMode::Nearest | GridSampleMode::Bilinear => Filter { slope: 1.0, weights: 1.0, roundings: 3 },
        GridSampleMode::Bicubic => Filter { slope: 1.6 * 1.375, weights: 1.375 * 1.375, roundings: 32 },
    }
}

/// The error bounds: what the errors of the coordinates change, and gamma_k of the weighted pixels.
///
/// A nearest pixel is a copy: 0, or the range of those within the error of the coordinate. Else the result is a continuous
/// function of the coordinates, with slopes along every axis that are bounded by the range of the pixels within reach.
pub fn bounds(sampled: &Sampled<'_>) -> Vec<f32> {
    let axes = sampled.axes;
    let Filter { slope, weights, roundings } = filter(axes[0].mode);
    sampled.each(|plane, place| {
        if sampled.is_lost(place) {
            return 0.0;
        }
        let reaches: Option<Vec<Reach>> = axes.iter().zip(place).map(|(axis, &g)| axis.reach(g)).collect();
        let Some(reaches) = reaches else { return f32::INFINITY };
        let (least, most) = range(plane, axes, &reaches);
        let spread = most - least;
        let bound = if axes[0].mode == GridSampleMode::Nearest {
            spread
        } else {
            let moved = (slope * reaches.iter().map(|r| r.error).sum::<f64>()).min(weights);
            let taps: Vec<_> = axes.iter().zip(place).map(|(axis, &g)| axis.taps(g)).collect();
            let terms = blend(plane, axes, &taps, f64::abs);
            let largest = least.abs().max(most.abs());
            let products: usize = taps.iter().map(Vec::len).product();
            let flushed = TINY * 8.0 * products as f64 * (1.0 + largest);
            let terms = (terms + moved * largest).min(weights * largest);
            moved * spread + gamma(roundings * axes.len()) * terms + flushed
        };
        // The conversion must not make it smaller.
        if bound.is_nan() { f32::INFINITY } else { (bound * (1.0 + 2.0 * UNIT)) as f32 }
    })
}

//! Regions sampled between pixels: the places of the samples are computed in f32.

use super::{TINY, UNIT, gamma};
use crate::reference::roi_align::{Axis, Bin, Regions, Span};

/// A place that may be this far off has no digits.
const NO_DIGITS: f64 = 0.5;

/// What an evaluation in f32 may take for a region along an axis.
struct Reach {
    /// The region, with every number of samples that a bin may get.
    spans: Vec<Span>,
    /// How far a place is from the exact one.
    error: f64,
}

impl Axis {
    /// Start and size have three roundings each of the corners and of 1/2. A place is then the start, and a product: the size
    /// divided by the bins (5 roundings), times a number up to the bins that has a division (5), a sum and its own product; the
    /// sum of both, and its part behind a pixel. So 20 of the largest, or of exact corners 14.
    fn reach(&self, [low, high]: [f32; 2]) -> Reach {
        let span = self.span(low, high);
        let corners = [low, high].map(|v| self.corner(v).abs());
        let largest = corners[0] + corners[1] + 2.0;
        let (roundings, size_error) = match is_exact(corners) {
            true => (14, 0.0),
            false => (20, gamma(3) * largest + 4.0 * TINY),
        };
        let mut spans = vec![span];
        // A size that is near a whole number of pixels per bin may be rounded to either side of it, and has one sample more or less.
        let whole = (span.size / self.bins as f64).round().max(0.0);
        let is_near = (span.size - whole * self.bins as f64).abs() <= size_error;
        if self.samples == 0 && size_error > 0.0 && is_near {
            spans.extend([whole, whole + 1.0].map(|count| Span { count, ..span }));
        }
        Reach { spans, error: gamma(roundings) * largest + TINY * 16.0 }
    }
}

/// Whether products with the scale, and sums of the corners, are exact: multiples of a power of two that 20 bits hold.
fn is_exact(corners: [f64; 2]) -> bool {
    let unit = (1..20).map(|k| 0.5f64.powi(k)).find(|unit| corners.iter().all(|v| v % unit == 0.0));
    unit.is_some_and(|unit| corners[0] + corners[1] + 1.0 < unit * (1u64 << 19) as f64)
}

/// The pixels about some samples.
struct Around {
    /// The first and the last, if there is one.
    pixels: Option<[usize; 2]>,
    /// How many samples are as near the end of what counts as their error.
    uncertain: usize,
}

impl Around {
    fn new(axis: &Axis, span: Span, o: usize, error: f64) -> Around {
        let (low, high, last) = (-1.0, axis.extent as f64, axis.extent as f64 - 1.0);
        let mut around = Around { pixels: None, uncertain: 0 };
        for place in axis.places(span, o) {
            if place < low - error || place > high + error {
                continue;
            }
            around.uncertain += usize::from((place - low).abs() <= error || (place - high).abs() <= error);
            let first = (place - error).clamp(0.0, last).floor() as usize;
            let end = ((place + error).clamp(0.0, last).floor() as usize + 1).min(axis.extent - 1);
            let [a, b] = around.pixels.unwrap_or([first, end]);
            around.pixels = Some([a.min(first), b.max(end)]);
        }
        around
    }
}

/// The smallest and the largest pixel between these, and the largest magnitude.
fn range(plane: &[f32], width: usize, rows: [usize; 2], columns: [usize; 2]) -> (f64, f64) {
    let pixels = (rows[0]..=rows[1]).flat_map(|row| &plane[row * width..][columns[0]..=columns[1]]);
    pixels.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| match v.is_finite() {
        true => (a.min(v.into()), b.max(v.into())),
        false => (f64::NEG_INFINITY, f64::INFINITY),
    })
}

/// How far a result with these numbers of samples may be from the exact one of the same numbers.
fn bound(regions: &Regions<'_>, bin: &Bin<'_>, spans: [Span; 2], errors: [f64; 2]) -> f64 {
    let [rows, columns] = [0, 1].map(|k| Around::new(&regions.axes[k], spans[k], bin.at[k], errors[k]));
    let (Some(row_range), Some(column_range)) = (rows.pixels, columns.pixels) else { return TINY };
    let (least, most) = range(bin.plane, regions.axes[1].extent, row_range, column_range);
    let largest = least.abs().max(most.abs());
    let moved = (errors[0] + errors[1]).min(1.0);
    let flushed = TINY * 16.0 * (1.0 + largest);
    if regions.max {
        let jump = if rows.uncertain + columns.uncertain > 0 { largest } else { 0.0 };
        return jump + moved * largest + gamma(4) * largest + flushed;
    }
    let samples = [spans[0].count, spans[1].count];
    let jump = (rows.uncertain as f64 / samples[0] + columns.uncertain as f64 / samples[1]).min(1.0) * largest;
    let visited = regions.taps(bin, spans).iter().map(Vec::len).product::<usize>();
    let terms = regions.value(bin, spans, f64::abs) + (moved * largest).min(largest);
    jump + moved * (most - least) + gamma(visited + 16) * terms + flushed
}

/// The error bounds: what the errors of the places change, and gamma_k of the weighted pixels.
///
/// A sample is a continuous function of its place, with slopes along both axes that are bounded by the range of the pixels about
/// it, but for the place where it becomes 0; there the bound has both. So it does where the number of samples is not certain.
pub fn bounds(regions: &Regions<'_>) -> Vec<f32> {
    regions.each(|bin| {
        let [x1, y1, x2, y2] = bin.corners;
        let [rows, columns] = [regions.axes[0].reach([y1, y2]), regions.axes[1].reach([x1, x2])];
        let errors = [rows.error, columns.error];
        if errors.iter().any(|&error| error > NO_DIGITS) {
            return f32::INFINITY;
        }
        let exact = regions.value(bin, regions.spans(bin), |v| v);
        let mut worst = 0.0f64;
        for spans in rows.spans.iter().flat_map(|row| columns.spans.iter().map(move |column| [*row, *column])) {
            let other = regions.value(bin, spans, |v| v);
            let total = (other - exact).abs() + bound(regions, bin, spans, errors);
            worst = if total.is_nan() { f64::INFINITY } else { worst.max(total) };
        }
        // The conversion must not make it smaller.
        (worst * (1.0 + 2.0 * UNIT)) as f32
    })
}

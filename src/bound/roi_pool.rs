//! Maxima of bins of regions: copies, of bins whose corners are rounded to pixels in f32.

use std::ops::Range;

use super::{TINY, UNIT, extreme};
use crate::reference::roi_pool::{Axis, Regions};

impl Axis {
    /// The pixels that an evaluation in f32 may take a corner for: two where the product with the scale is rounded, and as near a
    /// half as its rounding.
    fn rounded(&self, v: f32) -> Vec<f64> {
        let at = self.corner(v);
        let is_exact = f64::from(at as f32) == at && (at == 0.0 || at.abs() >= TINY);
        let error = if is_exact { 0.0 } else { UNIT * at.abs() + TINY };
        let mut pixels = vec![(at - error).round(), (at + error).round()];
        pixels.dedup();
        pixels
    }

    /// The pixels that bin `o` may have.
    fn bins(&self, [low, high]: [f32; 2], o: usize) -> Vec<Range<usize>> {
        let ends = self.rounded(high);
        let pairs = self.rounded(low).into_iter().flat_map(|first| ends.iter().map(move |&last| [first, last]));
        pairs.map(|pair| self.bin(pair, o)).collect()
    }
}

/// The error bounds: 0 but for subnormal numbers, or the range of the maxima of the bins that a region may have.
pub fn bounds(regions: &Regions<'_>) -> Vec<f32> {
    regions.each(|plane, [x1, y1, x2, y2], [oy, ox]| {
        let rows = regions.axes[0].bins([y1, y2], oy);
        let columns = regions.axes[1].bins([x1, x2], ox);
        let pairs = rows.iter().flat_map(|rows| columns.iter().map(move |columns| (rows.clone(), columns)));
        let maxima: Vec<f64> = pairs.map(|(rows, columns)| regions.maximum(plane, rows, columns).into()).collect();
        let largest = maxima.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let smallest = maxima.iter().copied().fold(f64::INFINITY, f64::min);
        let is_certain = maxima.iter().all(|v| *v == maxima[0] || v.is_nan() && maxima[0].is_nan());
        let spread = if is_certain { 0.0 } else { largest - smallest };
        let bound = spread + maxima.iter().map(|&v| extreme(v)).fold(0.0, f64::max);
        // The conversion must not make it smaller.
        if bound.is_nan() { f32::INFINITY } else { (bound * (1.0 + 2.0 * UNIT)) as f32 }
    })
}

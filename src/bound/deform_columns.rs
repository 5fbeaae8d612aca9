//! Taps moved by offsets: their places are computed in f32.

use super::{TINY, UNIT, gamma};
use crate::reference::deform_columns::Moved;

/// The pixels of an axis that a place within this error takes, and whether one beyond the image is among them.
fn reached(place: f64, error: f64, extent: usize) -> (Option<[usize; 2]>, bool) {
    let ends = [(place - error).floor(), (place + error).floor() + 1.0];
    let [first, last] = ends.map(|end| end.clamp(-1.0, extent as f64));
    let beyond = first < 0.0 || last >= extent as f64;
    let (first, last) = (first.max(0.0), last.min(extent as f64 - 1.0));
    ((first <= last).then_some([first as usize, last as usize]), beyond)
}

/// The error bounds. A place is a sum of a whole number, which is exact below 2^24, and an offset: e = gamma_2 (|base| + extent +
/// 3), since farther out all is 0. The result is a continuous function of both places, with slopes that are bounded by the range
/// R of the pixels within reach, zeros beyond the image among them. So the error is at most the mask times m R + gamma_7 (sum |w
/// x| + m X), m the lesser of ey + ex and 1, X the largest magnitude: a weight, its product with the other, that with the pixel,
/// three sums, and the mask.
pub fn bounds(moved: &Moved<'_>) -> Vec<f32> {
    moved.each(|tap| {
        let (place, width) = (tap.place(), moved.size[1]);
        let error = |axis: usize| gamma(2) * (tap.base[axis].abs() + moved.size[axis] as f64 + 3.0) + TINY;
        let errors = [error(0), error(1)];
        let [(rows, above), (columns, beside)] = [0, 1].map(|k| reached(place[k], errors[k], moved.size[k]));
        let (Some(rows), Some(columns)) = (rows, columns) else { return 0.0 };
        let pixels = (rows[0]..=rows[1]).flat_map(|row| &tap.plane[row * width..][columns[0]..=columns[1]]);
        let start = if above || beside { (0.0, 0.0) } else { (f64::INFINITY, f64::NEG_INFINITY) };
        let (least, most) = pixels.fold(start, |(a, b), &v| match v.is_finite() {
            true => (f64::min(a, v.into()), f64::max(b, v.into())),
            false => (f64::NEG_INFINITY, f64::INFINITY),
        });
        let largest = least.abs().max(most.abs());
        let by = (errors[0] + errors[1]).min(1.0);
        let terms = moved.value(tap, f64::abs) + by * largest;
        let flushed = TINY * 16.0 * (1.0 + largest);
        let bound =
            (tap.mask.abs() + TINY) * (by * (most - least) + gamma(7) * terms + flushed) + TINY * (1.0 + largest);
        // The conversion must not make it smaller.
        if bound.is_nan() { f32::INFINITY } else { (bound * (1.0 + 2.0 * UNIT)) as f32 }
    })
}

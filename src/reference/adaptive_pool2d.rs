//! Pooling into a given number of bins, as `torch.nn.functional.adaptive_avg_pool2d` and `adaptive_max_pool2d`.

use crate::parallel;
use std::ops::Range;

/// The part of an axis that bin `o` of `bins` covers: from floor(o extent / bins) to ceil((o + 1) extent / bins).
pub fn bin(o: usize, bins: usize, extent: usize) -> Range<usize> {
    o * extent / bins..((o + 1) * extent).div_ceil(bins)
}

/// Applies `fold` to the rows of every bin of `x` `[planes, ih, iw]`; the result is row-major `[planes, oh, ow]`.
fn bins<T: Clone + Default + Send>(
    (x, [planes, ih, iw]): (&[f32], [usize; 3]),
    [oh, ow]: [usize; 2],
    fold: impl Fn(&[&[f32]]) -> T + Sync,
) -> Vec<T> {
    let one = |i: usize| {
        let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
        let row = |iy| &x[(plane * ih + iy) * iw..][bin(ox, ow, iw)];
        fold(&bin(oy, oh, ih).map(row).collect::<Vec<_>>())
    };
    parallel::collect(planes * oh * ow, one)
}

/// The mean of every bin, in f64.
pub fn adaptive_avg_pool2d(image: (&[f32], [usize; 3]), outputs: [usize; 2]) -> Vec<f64> {
    bins(image, outputs, |rows| {
        let sum: f64 = rows.iter().copied().flatten().map(|&v| f64::from(v)).sum();
        sum / (rows.len() * rows[0].len()) as f64
    })
}

/// The largest value of every bin; NaN if it has one.
pub fn adaptive_max_pool2d(image: (&[f32], [usize; 3]), outputs: [usize; 2]) -> Vec<f32> {
    bins(image, outputs, |rows| {
        let values = rows.iter().copied().flatten().copied();
        values.reduce(|best, v| if v > best || v.is_nan() { v } else { best }).expect("a bin has a pixel")
    })
}

//! `y = (x - mean) scale weight + bias`, the second half of every normalisation.

use rayon::prelude::*;

use super::moments::{Scale, Slices};
use super::{TINY, UNIT, gamma};

/// Weights and biases: element `i` has entry `i / step % entries`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Affine<'a> {
    pub weight: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
    pub step: usize,
    pub entries: usize,
}

impl Affine<'_> {
    fn at(&self, i: usize) -> (f64, f64) {
        let entry = i / self.step.max(1) % self.entries.max(1);
        (self.weight.map_or(1.0, |w| w[entry].into()), self.bias.map_or(0.0, |b| b[entry].into()))
    }
}

/// The normalised values; `scales` has one entry per slice.
pub fn normalize(x: &[f32], slices: &Slices, scales: &[Scale], affine: &Affine) -> Vec<f64> {
    let one = |(i, &v): (usize, &f32)| {
        let s = &scales[slices.of(i)];
        let (weight, bias) = affine.at(i);
        (f64::from(v) - s.mean) * s.scale * weight + bias
    };
    x.par_iter().enumerate().map(one).collect()
}

/// The error bounds of the normalised values. With d = x - mean, s the scale and w the weight:
/// the difference errs by E = mean_error + u (|d| + mean_error); the product of difference, scale and weight is at most
/// (|d| + E) s (1 + scale_error) |w| (1 + u)^2 instead of |d| s |w|; the sum with the bias is rounded.
pub fn bounds(x: &[f32], slices: &Slices, scales: &[Scale], affine: &Affine) -> Vec<f64> {
    let one = |(i, &v): (usize, &f32)| {
        let s = &scales[slices.of(i)];
        let (weight, bias) = affine.at(i);
        let distance = (f64::from(v) - s.mean).abs();
        let difference = s.mean_error + UNIT * (distance + s.mean_error);
        let ideal = distance * s.scale * weight.abs();
        let most =
            (distance + difference) * s.scale * weight.abs() * (1.0 + s.scale_error) * (1.0 + UNIT) * (1.0 + UNIT);
        let product = most - ideal;
        product + UNIT * (ideal + bias.abs() + product) + TINY
    };
    x.par_iter().enumerate().map(one).collect()
}

/// The norms of order p, 1 or 2, along the middle axis of `[outer, n, inner]`, row-major over the others.
pub fn lp_norms(x: &[f32], [outer, n, inner]: [usize; 3], p: usize) -> Vec<f64> {
    let one = |i: usize| {
        let values = (0..n).map(|k| f64::from(x[(i / inner * n + k) * inner + i % inner]));
        if p == 1 { values.map(f64::abs).sum() } else { values.map(|v| v * v).sum::<f64>().sqrt() }
    };
    (0..outer * inner).into_par_iter().map(one).collect()
}

/// The error bound of x / norm, the norm of n values whose powers are summed with at most `depth` successive additions.
/// The sum errs by r = gamma_(depth + 1), relative (the square, too), and by `TINY` for each power that is subnormal;
/// its root by 1 / sqrt(1 - r) and 9 u (1 / inverseSqrt: 2 and 2.5 ulp); the quotient by 2.5 ulp.
pub fn lp_bounds(x: f64, norm: f64, n: usize, p: usize, depth: usize) -> f64 {
    if norm == 0.0 {
        return 0.0;
    }
    let relative = gamma(depth + 1) + n as f64 * TINY / norm.powi(p as i32);
    let inverse = (1.0 - relative).max(0.0).powf(-1.0 / p as f64) * (1.0 + 10.0 * UNIT) * (1.0 + 5.0 * UNIT);
    (x / norm).abs() * (inverse - 1.0) + TINY
}

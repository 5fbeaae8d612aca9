//! `y = (x - mean) scale weight + bias`, the second half of every normalisation.

use super::moments::Bounded;
use super::{DIVISION, SQRT, TINY, UNIT, gamma};
use crate::parallel;
use crate::reference::moments::Slices;
use crate::reference::normalize::Affine;

/// The error bounds of the normalised values. With d = x - mean, s the scale and w the weight:
/// the difference errs by E = mean_error + u (|d| + mean_error); the product of difference, scale and weight is at most
/// (|d| + E) s (1 + scale_error) |w| (1 + u)^2 instead of |d| s |w|; the sum with the bias is rounded.
pub fn bounds(x: &[f32], slices: &Slices, scales: &[Bounded], affine: &Affine) -> Vec<f64> {
    let one = |i: usize| {
        let Bounded { scale: s, mean_error, scale_error } = scales[slices.of(i)];
        let (weight, bias) = affine.at(i);
        let distance = (f64::from(x[i]) - s.mean).abs();
        let difference = mean_error + UNIT * (distance + mean_error);
        let ideal = distance * s.scale * weight.abs();
        let most = (distance + difference) * s.scale * weight.abs() * (1.0 + scale_error) * (1.0 + UNIT) * (1.0 + UNIT);
        let product = most - ideal;
        // What a device flushes: the value, the difference, the scaled difference, the weight, the result.
        let flushed = TINY * (2.0 + weight.abs() + 2.0 * s.scale * weight.abs() + distance * s.scale);
        product + UNIT * (ideal + bias.abs() + product) + flushed
    };
    parallel::collect(x.len(), one)
}

/// The error bound of x / norm, the norm of n values whose powers are summed with at most `depth` successive additions.
/// The sum errs by r = gamma_(depth + 1), relative (the square, too), and by `TINY` for each power that is subnormal;
/// its root by 1 / sqrt(1 - r) and 9 u (1 / inverseSqrt: 2 and 2.5 ulp); the quotient by 2.5 ulp.
pub fn lp_bounds(x: f64, norm: f64, n: usize, p: usize, depth: usize) -> f64 {
    if norm == 0.0 {
        return 0.0;
    }
    let relative = gamma(depth + 1) + n as f64 * TINY / norm.powi(p as i32);
    let inverse = (1.0 - relative).max(0.0).powf(-1.0 / p as f64) * (1.0 + SQRT + UNIT) * (1.0 + DIVISION);
    (x / norm).abs() * (inverse - 1.0) + TINY * (1.0 + 1.0 / norm)
}

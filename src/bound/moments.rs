//! Means and variances of the slices of a tensor.

use super::{DIVISION, INVERSE_SQRT, SQRT, TINY, UNIT, gamma};
use crate::reference::moments::{Moments, Scale};

/// A mean and a scale with their errors.
#[derive(Clone, Copy, Debug)]
pub struct Bounded {
    /// The exact ones.
    pub scale: Scale,
    /// Absolute error of the mean.
    pub mean_error: f64,
    /// Relative error of the scale.
    pub scale_error: f64,
}

/// Moments as a device computes them in f32.
///
/// # Errors of the mean and the variance
///
/// The device subtracts the slice's first value K from every x, which errs by u |x - K|, and then merges sets in a tree
/// of height at most H: a set carries its size, its sum and M, the sum of squared distances from its mean; a merge adds the
/// sums, and to the Ms w (mean_a - mean_b)^2 with w = n_a n_b / n (Chan, Golub, LeVeque). H is the height of the tree that
/// is launched (`ops::normalization`), or the number of values, if that is less.
///
/// *Mean.* A set's mean errs by e <= gamma_k mean|x - K| over the set, k = H + 10: the subtraction, H + 3 additions (three
/// of them inside a strip), a reciprocal (2.5 ulp) and a product.
///
/// *Variance.* Exact arithmetic gives M = sum w (mean_a - mean_b)^2 + sum over strips of (x - mean)^2, a squared norm. Wrong
/// means change each mean_a - mean_b by at most e_a + e_b, hence the norm by at most
/// sqrt(sum w (e_a + e_b)^2) <= sqrt(sum 2 (n_a e_a^2 + n_b e_b^2)), and as n e^2 <= gamma_k^2 sum (x - K)^2 over the set, and each x is
/// in at most H sets, by gamma_k sqrt(2 H n) R, R^2 the mean of (x - K)^2. The subtraction of K adds u sqrt(n) R. So with
/// tau = (gamma_k sqrt(2 H) + u) R the variance is at most (sigma + tau)^2, before the roundings of the Ms themselves:
/// gamma_c, c = 2 H + 17 (per level two additions; per term 12; the final division).
///
/// The subtraction of K is not undone by a compiler that may reassociate: the kernels pass the difference on by its bits (`apart`).
///
/// Set sizes are exact below 2^24, above they round too: H more in k and c.
#[derive(Clone, Copy, Debug)]
pub struct Merged {
    of: Moments,
    /// H
    height: usize,
}

impl Merged {
    /// These moments as computed by a device that merges sets in a tree of this height.
    pub fn new(of: Moments, height: usize) -> Merged {
        Merged { height: of.count.min(height), of }
    }
    fn size_roundings(&self) -> usize {
        if self.of.count < 1 << 24 { 0 } else { self.height }
    }
    fn node_error(&self) -> f64 {
        gamma(self.height + 10 + self.size_roundings())
    }
    /// The mean and its absolute error: that of mean(x - K), and the rounding when K is added.
    pub fn mean(&self) -> (f64, f64) {
        let relative = self.node_error() * self.of.distance;
        (self.of.mean, relative + UNIT * (self.of.mean.abs() + relative) + TINY)
    }
    /// The biased variance and its absolute error.
    pub fn var(&self) -> (f64, f64) {
        let tau = (self.node_error() * (2.0 * self.height as f64).sqrt() + UNIT) * self.of.spread;
        let rounding = gamma(2 * self.height + 17 + self.size_roundings());
        let widened = 2.0 * self.of.var.sqrt() * tau + tau * tau;
        (self.of.var, widened * (1.0 + rounding) + rounding * self.of.var + TINY)
    }
    /// (x - mean) / sqrt(var + eps).
    pub fn scale(&self, eps: f32) -> Bounded {
        let ((mean, mean_error), (var, var_error)) = (self.mean(), self.var());
        Bounded { mean_error, ..inverse_sqrt(mean, var, var_error, eps) }
    }
    /// (x - mean) / (sqrt(var) + eps). The error of the root is the larger, lower side of that of the variance, and that of
    /// WGSL's sqrt; the sum and the division add theirs.
    pub fn scale_outside(&self, eps: f32) -> Bounded {
        let ((mean, mean_error), (var, var_error)) = (self.mean(), self.var());
        let root = var.sqrt();
        let below = root - (var - var_error).max(0.0).sqrt();
        let above = (var + var_error).sqrt() - root;
        let relative = (below.max(above) + SQRT * (root + above)) / (root + f64::from(eps));
        let scale_error = relative_of_inverse(relative, 1.0) + 3.0 * UNIT + DIVISION;
        Bounded { scale: Scale::outside(mean, var, eps), mean_error, scale_error }
    }
}

/// (x - mean) / sqrt(var + eps) for a mean known exactly and a variance known within `var_error`: the sum is rounded, and
/// inverseSqrt errs.
pub fn inverse_sqrt(mean: f64, var: f64, var_error: f64, eps: f32) -> Bounded {
    let v = var + f64::from(eps);
    let relative = (var_error + UNIT * v) / v;
    let scale_error = (1.0 + relative_of_inverse(relative, 0.5)) * (1.0 + INVERSE_SQRT) - 1.0;
    Bounded { scale: Scale::new(mean, var, eps), mean_error: 0.0, scale_error }
}

/// The relative error of v^-power where v errs by this relative error: infinite if v may be 0.
fn relative_of_inverse(relative: f64, power: f64) -> f64 {
    (1.0 - relative).max(0.0).powf(-power) - 1.0
}

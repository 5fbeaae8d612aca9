//! Means and variances of the slices of a tensor, and the error bounds of an f32 device.

use rayon::prelude::*;

use super::{TINY, UNIT, gamma};

/// A tensor seen as `[outer, slices, inner]`: slice `s` is every element whose middle index is `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Slices {
    pub outer: usize,
    pub slices: usize,
    pub inner: usize,
}

impl Slices {
    /// Values of one slice.
    pub fn count(&self) -> usize {
        self.outer * self.inner
    }
    /// The slice of an element.
    pub fn of(&self, i: usize) -> usize {
        i / self.inner % self.slices
    }
    /// The values of a slice.
    pub fn values<'a>(&self, x: &'a [f32], slice: usize) -> impl Iterator<Item = f64> + Clone + use<'a> {
        let Slices { outer, slices, inner } = *self;
        (0..outer).flat_map(move |o| x[(o * slices + slice) * inner..][..inner].iter().map(|&v| f64::from(v)))
    }
}

/// The moments of one slice, and the values that their accuracy in f32 depends on.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// Values of the slice.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their biased variance: the mean squared distance from the mean.
    pub var: f64,
    /// The mean distance from the slice's first value.
    pub distance: f64,
    /// The root mean squared distance from the slice's first value.
    pub spread: f64,
}

/// The mean that a normalisation subtracts and the scale that it multiplies by, with their error bounds.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Subtracted.
    pub mean: f64,
    /// Absolute error of `mean`.
    pub mean_error: f64,
    /// Multiplied by.
    pub scale: f64,
    /// Relative error of `scale`.
    pub scale_error: f64,
}

/// The moments of every slice: the mean first, then the distances from it.
pub fn moments(x: &[f32], slices: &Slices) -> Vec<Moments> {
    let one = |slice| {
        let values = slices.values(x, slice);
        let count = slices.count();
        let average = |sum: f64| sum / count as f64;
        let first = values.clone().next().unwrap_or(0.0);
        let mean = average(values.clone().sum());
        let var = average(values.clone().map(|v| (v - mean).powi(2)).sum());
        let distance = average(values.clone().map(|v| (v - first).abs()).sum());
        let spread = average(values.map(|v| (v - first).powi(2)).sum()).sqrt();
        Moments { count, mean, var, distance, spread }
    };
    (0..slices.slices).into_par_iter().map(one).collect()
}

impl Moments {
    /// (x - mean) / sqrt(var + eps), for these exact moments.
    pub fn scale(&self, eps: f32) -> Scale {
        inverse_sqrt(self.mean, self.var, 0.0, eps)
    }
    /// (x - mean) / (sqrt(var) + eps), for these exact moments.
    pub fn scale_outside(&self, eps: f32) -> Scale {
        let scale = 1.0 / (self.var.sqrt() + f64::from(eps));
        Scale { mean: self.mean, mean_error: 0.0, scale, scale_error: 0.0 }
    }
    /// These moments as computed by a device that merges sets in a tree of this height.
    pub fn merged(self, height: usize) -> Merged {
        Merged { height: self.count.min(height), of: self }
    }
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
/// Set sizes are exact below 2^24, above they round too: H more in k and c.
#[derive(Clone, Copy, Debug)]
pub struct Merged {
    of: Moments,
    /// H
    height: usize,
}

impl Merged {
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
    pub fn scale(&self, eps: f32) -> Scale {
        let (mean, mean_error) = self.mean();
        let (var, var_error) = self.var();
        Scale { mean_error, ..inverse_sqrt(mean, var, var_error, eps) }
    }
    /// (x - mean) / (sqrt(var) + eps). The error of the root is the larger, lower side of that of the variance, and
    /// 9 u: WGSL's sqrt is 1 / inverseSqrt (2 ulp and 2.5 ulp); the sum and the division add 6 u.
    pub fn scale_outside(&self, eps: f32) -> Scale {
        let (mean, mean_error) = self.mean();
        let (var, var_error) = self.var();
        let root = var.sqrt();
        let below = root - (var - var_error).max(0.0).sqrt();
        let above = (var + var_error).sqrt() - root;
        let divisor = root + f64::from(eps);
        let relative = (below.max(above) + 9.0 * UNIT * (root + above)) / divisor;
        let scale_error = relative_of_inverse(relative, 1.0) + 8.0 * UNIT;
        Scale { mean, mean_error, scale: 1.0 / divisor, scale_error }
    }
}

/// (x - mean) / sqrt(var + eps) for a mean known exactly and a variance known within `var_error`: the sum is rounded,
/// inverseSqrt errs by 2 ulp.
pub fn inverse_sqrt(mean: f64, var: f64, var_error: f64, eps: f32) -> Scale {
    let v = var + f64::from(eps);
    let relative = (var_error + UNIT * v) / v;
    let scale_error = (1.0 + relative_of_inverse(relative, 0.5)) * (1.0 + 4.0 * UNIT) - 1.0;
    Scale { mean, mean_error: 0.0, scale: v.powf(-0.5), scale_error }
}

/// The relative error of v^-power where v errs by this relative error: infinite if v may be 0.
fn relative_of_inverse(relative: f64, power: f64) -> f64 {
    (1.0 - relative).max(0.0).powf(-power) - 1.0
}

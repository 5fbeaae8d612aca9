//! Local response normalisation, as `torch.nn.functional.local_response_norm`, and the error bounds of an f32 device.

use rayon::prelude::*;

use super::{TINY, UNIT, gamma};

/// The formula's constants: `y = x (k + alpha / size sum x^2)^-beta`, the sum over the channels from `before` below.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Formula {
    pub size: usize,
    pub before: usize,
    pub alpha: f64,
    pub beta: f64,
    pub k: f64,
}

impl Formula {
    /// For each x (`[n, c, area]`), the value of `f(x, base)` with `base = k + alpha / size sum x^2`.
    fn map(&self, x: &[f32], [c, area]: [usize; 2], f: impl Fn(f64, f64) -> f64 + Sync) -> Vec<f64> {
        let one = |i: usize| {
            let channel = i / area % c;
            let end = (channel + self.size).saturating_sub(self.before).min(c);
            let image = i - channel * area;
            let window = channel.saturating_sub(self.before)..end;
            let sum: f64 = window.map(|j| f64::from(x[image + j * area]).powi(2)).sum();
            f(x[i].into(), self.k + self.alpha / self.size as f64 * sum)
        };
        (0..x.len()).into_par_iter().map(one).collect()
    }

    /// The normalised values.
    pub fn apply(&self, x: &[f32], extents: [usize; 2]) -> Vec<f64> {
        self.map(x, extents, |x, base| x * base.powf(-self.beta))
    }

    /// The error bounds for `x exp2(-beta log2 base)`.
    ///
    /// The base, with k and alpha not negative, errs by gamma_(size + 4), relative: squares, sum, alpha / size, product,
    /// sum. With L = log2 base that adds log2(1 / (1 - gamma)) to the errors of log2: 3 ulp, or 2^-21 for a base between
    /// 1/2 and 2. The exponent e = -beta L errs by beta times that and a rounding; exp2 turns the error E of e into the factor
    /// 2^E and adds 3 + 2 |e| ulp; the product with x is rounded.
    pub fn bounds(&self, x: &[f32], extents: [usize; 2]) -> Vec<f64> {
        let base_error = -(-gamma(self.size + 4)).ln_1p() / std::f64::consts::LN_2;
        self.map(x, extents, |x, base| {
            let log = base.log2();
            let log_error = base_error + f64::max(6.0 * UNIT * (log.abs() + base_error), 1.0 / f64::from(1 << 21));
            let exponent = (self.beta * log).abs();
            let error = self.beta.abs() * log_error + UNIT * (exponent + self.beta.abs() * log_error);
            let factor = error.exp2() * (1.0 + (6.0 + 4.0 * (exponent + error)) * UNIT) * (1.0 + UNIT) - 1.0;
            (x * base.powf(-self.beta)).abs() * factor + (x.abs() + 1.0) * TINY
        })
    }
}

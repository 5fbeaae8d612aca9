//! Local response normalisation.

use super::{TINY, UNIT, exp, gamma};
use crate::reference::local_response_norm::Formula;

impl Formula {
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
            let log_error = base_error + super::log(log.abs() + base_error);
            let exponent = (self.beta * log).abs();
            let error = self.beta.abs() * log_error + UNIT * (exponent + self.beta.abs() * log_error);
            let factor = error.exp2() * (1.0 + exp(exponent + error)) * (1.0 + UNIT) - 1.0;
            let power = base.powf(-self.beta);
            (x * power).abs() * factor + (x.abs() + power + 1.0) * TINY
        })
    }
}

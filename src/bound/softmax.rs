//! Softmax and its logarithm.

use super::{DIVISION, TINY, UNIT, exp, gamma, log};
use crate::reference::softmax::maximum;

/// The sum of e^(x - m), and its relative error when summed with `depth` roundings.
pub struct ExpSum {
    /// The maximum, m.
    pub max: f64,
    /// The logarithm of the sum.
    pub log: f64,
    /// Relative error of the sum.
    pub error: f64,
}

/// Below this e^t is subnormal by far, however t is rounded.
const LEAST: f64 = -128.0;

/// The relative error of e^t, with t = x - m, rounded: u |t| from the rounding and 3 + 2 |t| ulp from exp; 0 below [`LEAST`],
/// where `TINY` covers it.
fn term_error(t: f64) -> f64 {
    if t < LEAST { 0.0 } else { (UNIT * t.abs()).exp_m1() + exp(t) }
}

impl ExpSum {
    /// The sum's relative error: that of its terms, weighted, and `TINY` for each that may be subnormal, then gamma_depth.
    pub fn of(x: &[f64], depth: usize) -> ExpSum {
        let max = maximum(x);
        let sum: f64 = x.iter().map(|v| (v - max).exp()).sum();
        let error_of = |t: f64| if t == f64::NEG_INFINITY { 0.0 } else { t.exp() * term_error(t) + TINY };
        let terms = x.iter().map(|v| error_of(v - max)).sum::<f64>() / sum;
        ExpSum { max, log: sum.ln(), error: (1.0 + terms) * (1.0 + gamma(depth)) - 1.0 }
    }
    /// Absolute error of the logarithm: log(1 / (1 - error)), and 3 ulp, or 2^-21 below 2.
    pub fn log_error(&self) -> f64 {
        -(-self.error).ln_1p() + log(self.log)
    }
}

/// The error bounds of the values, for sums of `depth` roundings: the quotient errs by its terms ([`ExpSum`]) and
/// 2.5 ulp; the logarithm by u |t|, the error of log S and the rounding of their difference.
pub fn bounds(x: &[f64], is_log: bool, depth: usize) -> Vec<f64> {
    let sum = ExpSum::of(x, depth);
    let one = |v: &f64| {
        let t = v - sum.max;
        if t == f64::NEG_INFINITY {
            return 0.0;
        }
        if is_log {
            let before = UNIT * t.abs() + sum.log_error();
            return before + UNIT * ((t - sum.log).abs() + before) + TINY;
        }
        let ratio = (1.0 + term_error(t)) / (1.0 - sum.error) * (1.0 + DIVISION) - 1.0;
        (t - sum.log).exp() * ratio + 2.0 * TINY
    };
    x.iter().map(one).collect()
}

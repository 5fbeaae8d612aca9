//! Softmax and its logarithm, and how far an f32 device may be off.

use super::{TINY, UNIT, gamma};

/// The softmax of one set of values, or its logarithm. A set with a NaN or +inf, or of -inf alone, gives NaNs.
pub fn softmax(x: &[f64], log: bool) -> Vec<f64> {
    let m = maximum(x);
    let sum: f64 = x.iter().map(|v| (v - m).exp()).sum();
    x.iter().map(|v| if log { v - m - sum.ln() } else { (v - m).exp() / sum }).collect()
}

fn maximum(x: &[f64]) -> f64 {
    x.iter().fold(f64::NEG_INFINITY, |m, &v| if v.is_nan() || v > m { v } else { m })
}

/// The error bounds of the values, for sums of `depth` roundings.
///
/// With t = x - m, rounded: e^t errs by u |t| from the rounding and 3 + 2 |t| ulp from exp, together
/// r(t) = e^(u |t|) - 1 + (6 + 4 |t|) u, and by `TINY` where it is subnormal. The sum S errs by R = (sum e^t r(t) / S + gamma_depth),
/// relative; the quotient by r(t), R and 2.5 ulp. The logarithm: t errs by u |t|, log S by log(1 / (1 - R)) and 3 ulp, or 2^-21
/// below 2; the difference is rounded.
pub fn bounds(x: &[f64], log: bool, depth: usize) -> Vec<f64> {
    let m = maximum(x);
    let sum: f64 = x.iter().map(|v| (v - m).exp()).sum();
    let term_error = |t: f64| (UNIT * t.abs()).exp_m1() + (6.0 + 4.0 * t.abs()) * UNIT;
    let weighted = |v: &f64| {
        let t = v - m;
        if t == f64::NEG_INFINITY { 0.0 } else { t.exp() * term_error(t) + TINY }
    };
    let terms = x.iter().map(weighted).sum::<f64>() / sum;
    let sum_error = (1.0 + terms) * (1.0 + gamma(depth)) - 1.0;
    let one = |v: &f64| {
        let t = v - m;
        if t == f64::NEG_INFINITY {
            return 0.0;
        }
        if log {
            let log_error = -(-sum_error).ln_1p() + f64::max(6.0 * UNIT * sum.ln(), 1.0 / f64::from(1 << 21));
            let before = UNIT * t.abs() + log_error;
            return before + UNIT * ((t - sum.ln()).abs() + before) + TINY;
        }
        let ratio = (1.0 + term_error(t)) / (1.0 - sum_error) * (1.0 + 5.0 * UNIT) - 1.0;
        t.exp() / sum * ratio + 2.0 * TINY
    };
    x.iter().map(one).collect()
}

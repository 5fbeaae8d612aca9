//! Functions of two numbers.

use super::{DIVISION, LOG, LOG_NEAR_ONE, TINY, UNIT, exp};
use crate::attr::BinaryKind::{self, *};

impl BinaryKind {
    /// The largest absolute error of a correct f32 evaluation of `y = f(a, b)`.
    ///
    /// One rounding for sums and products, 2.5 ulp for a quotient, whose operands `shaders/shared/scaled.wgsl` brings into the
    /// range for which WGSL promises that. An argument flushed to 0 counts as an error of its own size, carried through by the
    /// derivative.
    pub fn bound(self, a: f64, b: f64, y: f64) -> f64 {
        let flushed = |x: f64| if x.abs() < TINY { x.abs() } else { 0.0 };
        match self {
            Add | Sub => UNIT * y.abs() + flushed(a) + flushed(b) + flushed(y),
            Prelu if a > 0.0 => 0.0,
            Mul | Prelu => UNIT * y.abs() + flushed(a) * b.abs() + flushed(b) * a.abs() + flushed(y),
            Div => DIVISION * y.abs() + if y.abs() <= 2.0 * TINY { TINY } else { 0.0 },
            Maximum | Minimum => flushed(a) + flushed(b),
            Pow => power_bound(a, b, y),
            Mod | Fmod => remainder_bound(a, b, y),
            _ if self.is_comparison() => {
                f64::from(u8::from(a != b && flushed(a) + flushed(b) > 0.0 && (a - b).abs() < 2.0 * TINY))
            }
            _ => 0.0,
        }
    }
}

/// `a - q b` for the integer q next to the quotient, on the side that the sign requires: one rounding each of the
/// product, of the difference, and of the sum with b that corrects the sign. Where the quotient is within its own
/// error, 2.5 ulp, of an integer, the device may take a neighbour of q: the error is then b for every integer within.
fn remainder_bound(a: f64, b: f64, y: f64) -> f64 {
    if b.is_infinite() {
        return TINY;
    }
    if b.abs() < TINY || !a.is_finite() {
        return f64::INFINITY;
    }
    let quotient = a / b;
    let error = DIVISION * quotient.abs() + TINY;
    let whole = (quotient - quotient.round()).abs() <= error;
    let jump = if whole { (error + 1.0).floor() * b.abs() } else { 0.0 };
    UNIT * (a.abs() + 2.0 * y.abs() + b.abs()) + jump + TINY
}

/// `a^b = 2^t`, `t = b log2 |a|`. WGSL promises log2 to 3 ulp, or 2^-21 absolute for |a| in [1/2, 2], and exp2 to
/// 3 + 2 |t| ulp; an error dt of the exponent is a factor 2^dt. An ulp is at most 2 UNIT.
fn power_bound(a: f64, b: f64, y: f64) -> f64 {
    if a == 0.0 || b == 0.0 || a.is_infinite() || b.is_infinite() || !y.is_finite() {
        return 0.0;
    }
    let log = a.abs().log2();
    let t = b * log;
    let log_error = if (0.5..=2.0).contains(&a.abs()) { LOG_NEAR_ONE } else { LOG * log.abs() };
    let dt = b.abs() * log_error + UNIT * t.abs();
    let factor = dt.exp2() * (1.0 + exp(t));
    y.abs() * (factor - 1.0) + TINY
}

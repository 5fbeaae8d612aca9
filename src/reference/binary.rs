//! Functions of two numbers: their values in f64 and in integers, and the error bounds of an f32 device.

use std::cmp::Ordering;

use super::{TINY, UNIT};
use crate::attr::BinaryKind::{self, *};

impl BinaryKind {
    /// A comparison; `order` is `None` where one side is NaN.
    pub fn compare(self, order: Option<Ordering>) -> bool {
        match self {
            Equal => order == Some(Ordering::Equal),
            Less => order == Some(Ordering::Less),
            Greater => order == Some(Ordering::Greater),
            LessOrEqual => order.is_some_and(Ordering::is_le),
            GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            _ => unreachable!("{} is not a comparison", self.name()),
        }
    }

    /// A function of booleans.
    pub fn logical(self, a: bool, b: bool) -> bool {
        match self {
            And => a & b,
            Or => a | b,
            Xor => a ^ b,
            _ => unreachable!("{} is not a logical function", self.name()),
        }
    }

    /// An arithmetic function of f32 values.
    pub fn float(self, a: f64, b: f64) -> f64 {
        match self {
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Maximum | Minimum if a.is_nan() || b.is_nan() => f64::NAN,
            Maximum => a.max(b),
            Minimum => a.min(b),
            Pow => a.powf(b),
            Prelu if a > 0.0 => a,
            Prelu => a * b,
            Fmod => a % b,
            Mod => match a % b {
                r if r != 0.0 && (r < 0.0) != (b < 0.0) => r + b,
                r => r,
            },
            _ => unreachable!("{} is not defined for f32", self.name()),
        }
    }

    /// An arithmetic function of integers, wrapping.
    pub fn integer(self, a: i64, b: i64) -> i64 {
        match self {
            Add => a.wrapping_add(b),
            Sub => a.wrapping_sub(b),
            Mul => a.wrapping_mul(b),
            Div | Mod | Fmod if b == 0 => 0,
            Div => a.wrapping_div(b),
            Maximum => a.max(b),
            Minimum => a.min(b),
            Pow => power(a, b),
            Mod => match a.wrapping_rem(b) {
                r if r != 0 && (r < 0) != (b < 0) => r + b,
                r => r,
            },
            Fmod => a.wrapping_rem(b),
            _ => unreachable!("{} is not defined for integers", self.name()),
        }
    }

    /// The largest absolute error of a correct f32 evaluation of `y = f(a, b)`.
    ///
    /// One rounding for sums and products, 2.5 ulp for a quotient whose divisor is within 2^+-126 (WGSL promises nothing
    /// outside). An argument flushed to 0 counts as an error of its own size, carried through by the derivative.
    pub fn bound(self, a: f64, b: f64, y: f64) -> f64 {
        let flushed = |x: f64| if x.abs() < TINY { x.abs() } else { 0.0 };
        match self {
            Add | Sub => UNIT * y.abs() + flushed(a) + flushed(b) + flushed(y),
            Prelu if a > 0.0 => 0.0,
            Mul | Prelu => UNIT * y.abs() + flushed(a) * b.abs() + flushed(b) * a.abs() + flushed(y),
            Div if !(TINY..=1.0 / TINY).contains(&b.abs()) => f64::INFINITY,
            Div => 5.0 * UNIT * y.abs() + flushed(a) / b.abs() + flushed(y),
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

/// `a^b` by repeated squaring, wrapping; a negative power truncates toward 0.
fn power(mut a: i64, mut b: i64) -> i64 {
    if b < 0 {
        return match a {
            1 => 1,
            -1 => 1 - 2 * (b & 1),
            _ => 0,
        };
    }
    let mut y = 1i64;
    while b > 0 {
        if b & 1 == 1 {
            y = y.wrapping_mul(a);
        }
        a = a.wrapping_mul(a);
        b >>= 1;
    }
    y
}

/// `a - q b` for the integer q next to the quotient, on the side that the sign requires: one rounding each of the
/// product, of the difference, and of the sum with b that corrects the sign. Where the quotient is within its own
/// error, 2.5 ulp, of an integer, the device may take a neighbour of q: the error is then b for every integer within.
fn remainder_bound(a: f64, b: f64, y: f64) -> f64 {
    if b.is_infinite() {
        return TINY;
    }
    if !(TINY..=1.0 / TINY).contains(&b.abs()) || !a.is_finite() {
        return f64::INFINITY;
    }
    let quotient = a / b;
    let error = 5.0 * UNIT * quotient.abs() + TINY;
    let whole = (quotient - quotient.round()).abs() <= error;
    let jump = if whole { (error + 1.0).floor() * b.abs() } else { 0.0 };
    UNIT * (a.abs() + 2.0 * y.abs() + b.abs()) + jump + TINY
}

/// `a^b = 2^t`, `t = b log2 |a|`. WGSL promises log2 to 3 ulp, or 2^-21 absolute for |a| in [1/2, 2], and exp2 to
/// 3 + 2 |t| ulp; an error dt of the exponent is a factor 2^dt. An ulp is at most 2 UNIT.
fn power_bound(a: f64, b: f64, y: f64) -> f64 {
    if a == 0.0 || b == 0.0 || !y.is_finite() {
        return 0.0;
    }
    let log = a.abs().log2();
    let t = b * log;
    let log_error = if (0.5..=2.0).contains(&a.abs()) { 0.5f64.powi(21) } else { 6.0 * UNIT * log.abs() };
    let dt = b.abs() * log_error + UNIT * t.abs();
    let factor = dt.exp2() * (1.0 + (6.0 + 4.0 * t.abs()) * UNIT);
    y.abs() * (factor - 1.0) + TINY
}

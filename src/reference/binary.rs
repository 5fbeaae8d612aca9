//! Functions of two numbers, in f64 and in integers.

use std::cmp::Ordering;

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
            And => a & b,
            Or => a | b,
            Xor => a ^ b,
            ShiftLeft => shift(b).map_or(0, |b| a << b),
            ShiftRight => a >> shift(b).unwrap_or(i64::BITS - 1),
            _ => unreachable!("{} is not defined for integers", self.name()),
        }
    }
}

/// By how many bits to shift, if that is less than all.
fn shift(by: i64) -> Option<u32> {
    u32::try_from(by).ok().filter(|&by| by < i64::BITS)
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

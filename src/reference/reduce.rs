//! Reductions of sets of values to one, and the error bounds of an f32 device.

use super::softmax::ExpSum;
use super::{TINY, UNIT, gamma};
use crate::attributes::attribute;

/// The kind of a reduction. The numbers are those of `shaders/shared/reduce.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// sum x
    Sum = 0,
    /// sum x / n
    Mean = 1,
    /// the largest; NaN if a value is NaN
    Max = 2,
    /// the smallest; NaN if a value is NaN
    Min = 3,
    /// product x
    Prod = 4,
    /// sum |x|
    L1 = 5,
    /// sqrt(sum x^2)
    L2 = 6,
    /// log(sum x)
    LogSum = 7,
    /// log(sum e^x)
    LogSumExp = 8,
    /// sum x^2
    SumSquare = 9,
}

attribute!(
    enum Kind {
        Sum,
        Mean,
        Max,
        Min,
        Prod,
        L1,
        L2,
        LogSum,
        LogSumExp,
        SumSquare,
    }
);

impl Kind {
    /// The reduction of one set.
    pub fn reduce(self, x: &[f64]) -> f64 {
        let n = x.len() as f64;
        let fold = |start, better: fn(&f64, &f64) -> bool| {
            x.iter().fold(start, |m: f64, &v| if m.is_nan() || !(v.is_nan() || better(&v, &m)) { m } else { v })
        };
        match self {
            Kind::Sum => x.iter().sum::<f64>() + 0.0,
            Kind::Mean => x.iter().sum::<f64>() / n,
            Kind::Max => fold(f64::NEG_INFINITY, f64::gt),
            Kind::Min => fold(f64::INFINITY, f64::lt),
            Kind::Prod => x.iter().product(),
            Kind::L1 => sum_of(x, f64::abs),
            Kind::L2 => sum_of(x, |v| v * v).sqrt(),
            Kind::LogSum => (x.iter().sum::<f64>() + 0.0).ln(),
            Kind::LogSumExp => {
                let max = Kind::Max.reduce(x);
                if max.is_finite() { max + sum_of(x, |v| (v - max).exp()).ln() } else { max }
            }
            Kind::SumSquare => sum_of(x, |v| v * v),
        }
    }

    /// The absolute error of the reduction in f32, for at most `depth` successive joins: gamma_depth sum |terms|, and
    /// - mean: the division by n, itself rounded (2.5 ulp and u);
    /// - product: gamma_n, since the relative errors of both factors remain, in any order;
    /// - squares: one rounding each, and `TINY` each where they are subnormal;
    /// - root: the lower side of its argument's error, which is larger, and 9 u (sqrt is 1 / inverseSqrt: 2 and 2.5 ulp);
    /// - log: relative error r of its argument as log(1 / (1 - r)), and 3 ulp, or 2^-21 between 1/2 and 2.
    ///
    /// No bound holds where an intermediate product under- or overflows and the result does not.
    pub fn bound(self, x: &[f64], depth: usize) -> f64 {
        let n = x.len() as f64;
        let y = self.reduce(x);
        let linear = gamma(depth) * sum_of(x, f64::abs);
        match self {
            Kind::Max | Kind::Min => 0.0,
            _ if x.is_empty() => 0.0,
            Kind::Sum | Kind::L1 => linear + n * TINY,
            Kind::Mean => linear / n * (1.0 + 7.0 * UNIT) + 7.0 * UNIT * y.abs() + TINY,
            Kind::Prod => gamma(x.len()) * y.abs() + TINY,
            Kind::SumSquare => gamma(depth + 1) * y + n * TINY,
            Kind::L2 => {
                let squares = y * y;
                let error = gamma(depth + 1) * squares + n * TINY;
                if squares > f32::MAX.into() {
                    return f64::INFINITY;
                }
                let (below, above) = ((squares - error).max(0.0).sqrt(), (squares + error).sqrt());
                f64::max(y - below, above - y) + 10.0 * UNIT * above + TINY
            }
            Kind::LogSum => {
                let relative = (linear + n * TINY) / y.exp();
                let argument = if relative < 1.0 { -(-relative).ln_1p() } else { f64::INFINITY };
                argument + f64::max(6.0 * UNIT * y.abs(), 1.0 / f64::from(1 << 21))
            }
            Kind::LogSumExp => {
                let error = ExpSum::of(x, depth).log_error();
                error + UNIT * (y.abs() + error) + TINY
            }
        }
    }
}

fn sum_of(x: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    x.iter().map(|&v| f(v)).sum::<f64>() + 0.0
}

/// The reduction of integers; `None` if the result is undefined, or the kind is for floats. Sums and products keep the low
/// 64 bits; the mean is exact, rounded towards zero.
pub fn reduce_integers(kind: Kind, x: &[i64]) -> Option<i64> {
    let sum = || x.iter().map(|&v| i128::from(v)).sum::<i128>();
    match kind {
        Kind::Sum => Some(sum() as i64),
        Kind::Mean => sum().checked_div(x.len() as i128).map(|mean| mean as i64),
        Kind::Max => x.iter().max().copied(),
        Kind::Min => x.iter().min().copied(),
        Kind::Prod => Some(x.iter().fold(1, |a: i64, &b| a.wrapping_mul(b))),
        Kind::L1 => Some(x.iter().fold(0, |a: i64, &b| a.wrapping_add(b.wrapping_abs()))),
        Kind::SumSquare => Some(x.iter().fold(0, |a: i64, &b| a.wrapping_add(b.wrapping_mul(b)))),
        Kind::L2 | Kind::LogSum | Kind::LogSumExp => None,
    }
}

/// The index of the largest value (or the smallest): NaN before any number, the first of equal values (or the last).
pub fn arg_reduce<T: PartialOrd + Copy>(x: &[T], smallest: bool, last: bool) -> usize {
    let beats = |b: T, a: T| match (is_nan(b), is_nan(a)) {
        (true, true) => last,
        (b_nan, a_nan) if b_nan || a_nan => b_nan,
        _ if a == b => last,
        _ => (b < a) == smallest,
    };
    (1..x.len()).fold(0, |best, k| if beats(x[k], x[best]) { k } else { best })
}

/// Whether a value is no number; integers all are.
pub fn is_nan<T: PartialOrd>(v: T) -> bool {
    v.partial_cmp(&v).is_none()
}

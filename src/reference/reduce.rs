//! Reductions of sets of values to one.

use crate::attr::ReduceKind;

impl ReduceKind {
    /// The reduction of one set.
    pub fn reduce(self, x: &[f64]) -> f64 {
        let n = x.len() as f64;
        let fold = |start, better: fn(&f64, &f64) -> bool| {
            x.iter().fold(start, |m: f64, &v| if m.is_nan() || !(v.is_nan() || better(&v, &m)) { m } else { v })
        };
        match self {
            ReduceKind::Sum => x.iter().sum::<f64>() + 0.0,
            ReduceKind::Mean => x.iter().sum::<f64>() / n,
            ReduceKind::Max => fold(f64::NEG_INFINITY, f64::gt),
            ReduceKind::Min => fold(f64::INFINITY, f64::lt),
            ReduceKind::Prod => x.iter().product(),
            ReduceKind::L1 => sum_of(x, f64::abs),
            ReduceKind::L2 => sum_of(x, |v| v * v).sqrt(),
            ReduceKind::LogSum => (x.iter().sum::<f64>() + 0.0).ln(),
            ReduceKind::LogSumExp => {
                let max = ReduceKind::Max.reduce(x);
                if max.is_finite() { max + sum_of(x, |v| (v - max).exp()).ln() } else { max }
            }
            ReduceKind::SumSquare => sum_of(x, |v| v * v),
        }
    }
}

/// The sum of `f` of every value.
pub fn sum_of(x: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    x.iter().map(|&v| f(v)).sum::<f64>() + 0.0
}

/// The reduction of integers; `None` if the result is undefined, or the kind is for floats. Sums and products keep the low
/// 64 bits; the mean is exact, rounded towards zero.
pub fn reduce_integers(kind: ReduceKind, x: &[i64]) -> Option<i64> {
    let sum = || x.iter().map(|&v| i128::from(v)).sum::<i128>();
    match kind {
        ReduceKind::Sum => Some(sum() as i64),
        ReduceKind::Mean => sum().checked_div(x.len() as i128).map(|mean| mean as i64),
        ReduceKind::Max => x.iter().max().copied(),
        ReduceKind::Min => x.iter().min().copied(),
        ReduceKind::Prod => Some(x.iter().fold(1, |a: i64, &b| a.wrapping_mul(b))),
        ReduceKind::L1 => Some(x.iter().fold(0, |a: i64, &b| a.wrapping_add(b.wrapping_abs()))),
        ReduceKind::SumSquare => Some(x.iter().fold(0, |a: i64, &b| a.wrapping_add(b.wrapping_mul(b)))),
        ReduceKind::L2 | ReduceKind::LogSum | ReduceKind::LogSumExp => None,
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

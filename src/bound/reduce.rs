//! Reductions of sets of values to one.

use super::softmax::ExpSum;
use super::{DIVISION, SQRT, TINY, UNIT, gamma};
use crate::attr::ReduceKind;
use crate::reference::reduce::sum_of;

impl ReduceKind {
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
            ReduceKind::Max | ReduceKind::Min => super::extreme(y),
            _ if x.is_empty() => 0.0,
            ReduceKind::Sum | ReduceKind::L1 => linear + n * TINY,
            ReduceKind::Mean => {
                linear / n * (1.0 + 2.0 * UNIT + DIVISION) + (2.0 * UNIT + DIVISION) * y.abs() + 2.0 * TINY
            }
            ReduceKind::Prod => gamma(x.len()) * y.abs() + TINY,
            ReduceKind::SumSquare => gamma(depth + 1) * y + n * TINY,
            ReduceKind::L2 => {
                let squares = y * y;
                let error = gamma(depth + 1) * squares + n * TINY;
                if squares > f32::MAX.into() {
                    return f64::INFINITY;
                }
                let (below, above) = ((squares - error).max(0.0).sqrt(), (squares + error).sqrt());
                f64::max(y - below, above - y) + (SQRT + UNIT) * above + TINY
            }
            ReduceKind::LogSum => {
                let relative = (linear + n * TINY) / y.exp();
                let argument = if relative < 1.0 { -(-relative).ln_1p() } else { f64::INFINITY };
                argument + super::log(y)
            }
            ReduceKind::LogSumExp => {
                let error = ExpSum::of(x, depth).log_error();
                error + UNIT * (y.abs() + error) + TINY
            }
        }
    }
}

//! Unary functions.

use super::{TINY, UNIT};
use crate::attr::Activation::{self, *};

/// 2.5 ulp of a quotient and half an ulp of its rounding, in units of 2^-24.
const QUOTIENT: f64 = 6.0;

impl Activation {
    /// The largest |f(a) - f(b)| for |a - b| <= `dx` with a, b around `x`: the effect of an error of the argument.
    /// Discontinuous functions (floor, round, sign, a threshold) have no such bound: the result is infinite near a
    /// jump.
    pub fn spread(self, x: f64, dx: f64) -> f64 {
        if dx == 0.0 {
            return 0.0;
        }
        let ends = || (self.eval(x - dx), self.eval(x + dx));
        let nearest = || (x.abs() - dx).max(0.0);
        match self {
            Identity | Relu | Clamp { .. } | Abs | Neg | Softsign => dx,
            // The slope s (1 - s) or 1 - t^2 is largest where the argument is nearest to 0; two results are at most 1 or 2 apart.
            Sigmoid => (dx * Sigmoid.eval(nearest()) * Sigmoid.eval(-nearest())).min(1.0),
            Tanh => (dx * (1.0 - nearest().tanh().powi(2))).min(2.0),
            HardSigmoid { alpha, .. } => dx * alpha.abs(),
            Affine { alpha, .. } => dx * f64::from(alpha.abs()),
            ScaledTanh { alpha, beta } => {
                f64::from(alpha.abs()) * Tanh.spread(f64::from(beta) * x, f64::from(beta.abs()) * dx)
            }
            Erf => dx * std::f64::consts::FRAC_2_SQRT_PI,
            LeakyRelu { slope } => dx * f64::from(slope.abs()).max(1.0),
            Elu { alpha } => dx * f64::from(alpha.abs()).max(1.0),
            Selu { alpha, gamma } => dx * f64::from(gamma.abs()) * f64::from(alpha.abs()).max(1.0),
            // Of a negative alpha the slope below 0 is e^(x / alpha), which grows.
            Celu { alpha } if alpha < 0.0 => {
                let (lo, hi) = ends();
                f64::max(dx, (hi - lo).abs())
            }
            Celu { .. } | Softplus { .. } => dx,
            // |f'| stays below 1.13 (gelu), 1.1 (silu, mish), 1.5 (hardswish); swish scales with beta alone.
            Gelu | GeluTanh | Mish | HardSwish => 1.5 * dx,
            Swish { beta } => dx * (1.5 + f64::from(beta.abs()) * 0.25 * dx),
            Log if x - dx < 0.0 => f64::INFINITY,
            Sqrt if x - dx < 0.0 => self.eval(x + dx),
            Reciprocal if x.abs() <= dx => f64::INFINITY,
            Exp | Log | Sqrt | Reciprocal => {
                let (lo, hi) = ends();
                (hi - lo).abs()
            }
            Threshold { threshold: t, .. } | ThresholdedRelu { alpha: t } if x - dx > f64::from(t) => dx,
            // Whole steps, of the quotients that the argument may have.
            FakeQuantize { .. } => {
                let (dx, y) = (dx + QUOTIENT * UNIT * (x.abs() + dx), self.eval(x));
                f64::max(self.eval(x + dx) - y, y - self.eval(x - dx))
            }
            Floor | Ceil | Round | Sign | Threshold { .. } | ThresholdedRelu { .. } => {
                let (lo, hi) = ends();
                if hi == lo { 0.0 } else { f64::INFINITY }
            }
        }
    }

    /// A slope s at x, and the largest |s - s'| of the slopes s' between x and any place within `dx`: there the function is its
    /// value plus s times the distance, but for that difference times the distance. `None` of functions for which nothing is
    /// gained.
    pub fn slope(self, x: f64, dx: f64) -> Option<(f64, f64)> {
        // One piece of a function of two, or their mean.
        let pieces = |below: f64, above: f64, kink: f64| match () {
            () if x - dx >= kink => (above, 0.0),
            () if x + dx <= kink => (below, 0.0),
            () => ((below + above) / 2.0, (above - below).abs() / 2.0),
        };
        Some(match self {
            Identity => (1.0, 0.0),
            Affine { alpha, .. } => (alpha.into(), 0.0),
            Relu => pieces(0.0, 1.0, 0.0),
            LeakyRelu { slope } => pieces(slope.into(), 1.0, 0.0),
            // The second derivatives are at most 0.0963 and 0.7699, at the arguments where s = (1 +- 1/sqrt 3) / 2 and t^2 = 1/3.
            Sigmoid => {
                let s = Sigmoid.eval(x);
                (s * (1.0 - s), (0.0963 * dx).min(0.25))
            }
            Tanh => (1.0 - x.tanh().powi(2), (0.7699 * dx).min(1.0)),
            ScaledTanh { alpha, beta } => {
                let (alpha, beta) = (f64::from(alpha), f64::from(beta));
                let (slope, wobble) = Tanh.slope(beta * x, beta.abs() * dx)?;
                (alpha * beta * slope, (alpha * beta).abs() * wobble)
            }
            // 1 / (1 + |x|)^2, whose derivative is at most 2.
            Softsign => ((1.0 + x.abs()).powi(-2), (2.0 * dx).min(1.0)),
            _ => return None,
        })
    }

    /// The largest absolute error of an f32 evaluation of `y = f(x)` with the accuracies that WGSL promises:
    /// exp 3 + 2|x| ulp, division 2.5 ulp, log 3 ulp (2^-21 absolute in [0.5, 2]), inverseSqrt 2 ulp, the rest correctly rounded.
    pub fn bound(self, x: f64, y: f64) -> f64 {
        // In units of 2^-24; beyond 104 the exponential is 0.
        let exp = |z: f64| super::exp(z.abs().min(104.0)) / UNIT;
        let (x_abs, y_abs) = (x.abs(), y.abs());
        let error = match self {
            Identity
            | Relu
            | Clamp { .. }
            | Threshold { .. }
            | ThresholdedRelu { .. }
            | Abs
            | Neg
            | Floor
            | Ceil
            | Round
            | Sign => 0.0,
            LeakyRelu { .. } => y_abs,
            // One step where the quotient is so near a half that it may be rounded either way, and the rounding of the product.
            FakeQuantize { .. } => y_abs + self.spread(x, TINY) / UNIT,
            Exp => exp(x) * y_abs,
            // With e^z, z = x / alpha above 0: the exponential's error, and that of z, 2.5 ulp, which it makes relative.
            Celu { alpha } if alpha < 0.0 && x < 0.0 => {
                let (z, most) = ((x / f64::from(alpha)).min(104.0), f64::from(alpha.abs()).min(4.0 * y_abs));
                4.0 * y_abs + 16.0 * most + (exp(z) + 5.0 * z) * (y_abs + most)
            }
            // Below 0 the magnitude is at most alpha (1 - e^x); a polynomial near 0 keeps the error relative.
            Elu { alpha } | Celu { alpha } => 4.0 * y_abs + 16.0 * f64::from(alpha.abs()).min(4.0 * y_abs),
            Selu { alpha, gamma } => 4.0 * y_abs + 16.0 * f64::from((alpha * gamma).abs()).min(4.0 * y_abs),
            // e / (1 + e) and 1 / (1 + e) with e = exp(-|x|) <= 1.
            Sigmoid => (12.0 + exp(x)) * y_abs,
            Swish { beta } => (14.0 + 2.0 * exp(f64::from(beta) * x)) * y_abs,
            Mish => (16.0 + 2.0 * exp(x)) * y_abs,
            Tanh => 24.0 * y_abs,
            // The argument's rounding makes no more than one of the result; and the product.
            ScaledTanh { .. } => 27.0 * y_abs,
            // The product and the sum.
            Affine { alpha, .. } => 2.0 * (f64::from(alpha) * x).abs() + y_abs,
            // x sigmoid(2 z): the argument carries 8 roundings, which the exponential turns into relative error.
            GeluTanh => {
                let z2 = (1.596 * (x + 0.044715 * x * x * x)).abs().min(104.0);
                (20.0 + exp(z2) + 16.0 * z2) * y_abs
            }
            // Alpha, the product and the sum are rounded. Where the product exceeds 1 + |beta| the sum is clamped.
            HardSigmoid { alpha, beta } => 2.0 * (alpha.abs() * x_abs).min(1.0 + beta.abs()) + y_abs,
            HardSwish => 16.0 * y_abs + if x_abs < 4.0 { 2.0 * x_abs } else { 0.0 },
            // (max(z, 0) + log1p(e)) / beta with z = beta x rounded and e = exp(-|z|): above 0 the error of e counts by e / y,
            // and beta y is log 2 at least.
            Softplus { beta, .. } => {
                let z = f64::from(beta) * x;
                let share = (1.5 * (-z.max(0.0)).exp()).min(1.0);
                (24.0 + share * (exp(z) + z.abs().min(104.0))) * y_abs
            }
            Softsign => 8.0 * y_abs,
            Log => (8.0 * y_abs).max(if (0.5..=2.0).contains(&x) { 8.0 } else { 0.0 }),
            Sqrt => 12.0 * y_abs,
            Reciprocal => 6.0 * y_abs,
            // Abramowitz and Stegun 7.1.26 from 1/2 on: 1.5e-7 absolute = 2.6 units, and 8 roundings of terms up to 1, where y is
            // 0.52 at least.
            Erf => 21.0 * y_abs,
            Gelu => {
                16.0 * y_abs
                    + 8.0 * x_abs.min(8.0) * (-0.25 * x * x).exp()
                    + if x < 0.0 { 3.0 * x_abs.min(8.0) } else { 0.0 }
            }
        };
        error * UNIT + self.flushed(x, y, error > 0.0)
    }

    /// The error of a device that flushes subnormal numbers to zero: the argument, the result, and what is computed in between if
    /// the result is `inexact`.
    fn flushed(self, x: f64, y: f64, inexact: bool) -> f64 {
        let is_subnormal = |v: f64| v != 0.0 && v.abs() < TINY;
        let x_abs = x.abs();
        match self {
            // Softplus divides by beta.
            Softplus { beta, .. } => TINY / f64::from(beta.abs()).min(1.0),
            // These have a jump at 0.
            Floor | Ceil | Sign if is_subnormal(x) => 1.0,
            // `shaders/shared/scaled.wgsl` takes subnormal arguments as they are.
            Log | Sqrt => 0.0,
            Reciprocal | ThresholdedRelu { .. } => TINY,
            Threshold { threshold: t, value } if is_subnormal(x) && t.abs() < f32::MIN_POSITIVE => {
                f64::from(value.abs()) + TINY
            }
            // The argument, the parameters, the product and the result.
            Affine { alpha, .. } => TINY * (3.0 + x_abs + f64::from(alpha.abs())),
            ScaledTanh { alpha, beta } => TINY * (3.0 + f64::from(alpha.abs()) * (2.0 + x_abs + f64::from(beta.abs()))),
            Celu { alpha } | Elu { alpha } => TINY * f64::from(alpha.abs()).max(1.0),
            Selu { alpha, gamma } => TINY * f64::from(gamma.abs()) * f64::from(alpha.abs()).max(1.0),
            // z = beta x may be flushed; the exponential is, where it is 2^123 times as large as what x is multiplied by.
            Swish { beta } => {
                let z = f64::from(beta) * x;
                TINY * (2.0 + x.abs() * 2f64.powi(-123)) + if is_subnormal(z) { x.abs() * z.abs() } else { 0.0 }
            }
            _ => {
                let argument = if is_subnormal(x) { self.spread(x, x.abs()) } else { 0.0 };
                argument + if inexact || is_subnormal(y) { TINY } else { 0.0 }
            }
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    /// Where a device may take x for 0, the bound reaches to the other answer, and not farther than it must.
    #[test]
    fn flushed_arguments_have_both_answers() {
        let reaches = |f: Activation, x: f64, other: f64, most: f64| {
            let y = f.eval(x);
            let bound = f.bound(x, y);
            assert!((y - other).abs() <= bound && bound <= most, "{f:?} of {x}: {y} or {other}, bound {bound}");
        };
        for f in [Abs, Neg, Relu, Erf, Tanh, Exp, LeakyRelu { slope: 0.5 }, ThresholdedRelu { alpha: 0.0 }] {
            reaches(f, 1e-39, f.eval(0.0), 3.0 * TINY + f.eval(0.0) * 1e-6);
            reaches(f, -1e-39, f.eval(0.0), 3.0 * TINY + f.eval(0.0) * 1e-6);
        }
        reaches(Ceil, 1e-40, 0.0, 1.0);
        reaches(Floor, -1e-40, 0.0, 1.0);
        reaches(Sign, 1e-40, 0.0, 1.0);
        let threshold = Threshold { threshold: 0.0, value: 7.0 };
        reaches(threshold, 1e-40, 7.0, 7.1);
        // x e^z with an exponential that is subnormal even 2^123 times as large.
        reaches(Swish { beta: 175.0 / 3.4e38 }, -3.4e38, 0.0, 40.0 * TINY);
        for f in [Floor, Ceil, Sign, Relu, Abs, threshold] {
            assert_eq!(f.bound(1.5, f.eval(1.5)), 0.0, "{f:?}");
        }
    }

    /// An epilogue's sum that may be negative, or 0: the effect on its function is a number or infinite, and no NaN.
    #[test]
    fn errors_of_arguments_around_zero() {
        assert_eq!(Sqrt.spread(1e-8, 3e-8), 2e-4);
        assert_eq!(Log.spread(1e-8, 3e-8), f64::INFINITY);
        assert_eq!(Reciprocal.spread(1e-9, 1e-8), f64::INFINITY);
        assert_eq!(HardSigmoid { alpha: 20.0, beta: 0.5 }.spread(0.0, UNIT), 20.0 * UNIT);
        assert!(Erf.spread(0.0, UNIT) > Erf.eval(UNIT));
    }

    /// Far below 0 softplus is e^z: its bound is little more than WGSL's accuracy of exp, 3 + 2|z| ulp.
    #[test]
    fn softplus_may_be_off_by_what_exp_may_be() {
        let f = Activation::Softplus { beta: 2.0, threshold: 20.0 };
        for x in [-30.0, -8.0, -1.0] {
            let y = f.eval(x);
            let (z, units) = (2.0 * x, f.bound(x, y) / y / UNIT);
            let exp = 2.0 * (3.0 + 2.0 * f64::abs(z));
            assert!(units > exp && units < 1.25 * exp + 30.0, "{x}: {units} units, exp has {exp}");
        }
        let above = f.bound(9.0, f.eval(9.0)) / f.eval(9.0) / UNIT;
        assert!(above < 26.0, "{above}");
    }
}

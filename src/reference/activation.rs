//! Unary functions: their values in f64, and the error bounds of an f32 device.

use crate::attr::Activation::{self, *};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI};

impl Activation {
    /// The value.
    pub fn eval(self, x: f64) -> f64 {
        if x.is_nan() {
            return if let ThresholdedRelu { .. } = self { 0.0 } else { x };
        }
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Identity => x,
            Relu => x.max(0.0),
            // As torch.clamp: if min is above max, the result is max.
            Clamp { min, max } => x.max(min.into()).min(max.into()),
            LeakyRelu { slope } => {
                if x > 0.0 {
                    x
                } else {
                    x * f64::from(slope)
                }
            }
            Elu { alpha } => {
                if x > 0.0 {
                    x
                } else {
                    f64::from(alpha) * x.exp_m1()
                }
            }
            Selu { alpha, gamma } => f64::from(gamma) * if x > 0.0 { x } else { f64::from(alpha) * x.exp_m1() },
            Celu { alpha } => {
                if x > 0.0 {
                    x
                } else {
                    f64::from(alpha) * (x / f64::from(alpha)).exp_m1()
                }
            }
            Gelu => x * 0.5 * erfc(-x * FRAC_1_SQRT_2),
            // (1 + tanh z) / 2 = sigmoid(2 z), which has no cancellation.
            GeluTanh => x * sigmoid(2.0 * FRAC_2_PI.sqrt() * (x + 0.044715 * x * x * x)),
            Sigmoid => sigmoid(x),
            Tanh => x.tanh(),
            HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Swish { beta } => x * sigmoid(f64::from(beta) * x),
            Mish => x * softplus(x).tanh(),
            Softplus { beta, threshold } => {
                let z = f64::from(beta) * x;
                if z > f64::from(threshold) { x } else { softplus(z) / f64::from(beta) }
            }
            Softsign => x / (1.0 + x.abs()),
            Threshold { threshold, value } => {
                if x > f64::from(threshold) {
                    x
                } else {
                    value.into()
                }
            }
            ThresholdedRelu { alpha } => {
                if x > f64::from(alpha) {
                    x
                } else {
                    0.0
                }
            }
            Exp => x.exp(),
            Log => x.ln(),
            Sqrt => x.sqrt(),
            Reciprocal => 1.0 / x,
            Abs => x.abs(),
            Neg => -x,
            Floor => x.floor(),
            Ceil => x.ceil(),
            Round => x.round_ties_even(),
            Sign => {
                if x == 0.0 {
                    x
                } else {
                    x.signum()
                }
            }
            Erf => erf(x),
        }
    }

    /// The largest |f(a) - f(b)| for |a - b| <= `dx` with a, b around `x`: the effect of an error of the argument.
    /// Discontinuous functions (floor, round, sign, a threshold) have no such bound: the result is infinite near a
    /// jump.
    pub fn spread(self, x: f64, dx: f64) -> f64 {
        if dx == 0.0 {
            return 0.0;
        }
        let ends = || (self.eval(x - dx), self.eval(x + dx));
        match self {
            Identity | Relu | Clamp { .. } | Abs | Neg | Sigmoid | Tanh | HardSigmoid { .. } | Erf | Softsign => dx,
            LeakyRelu { slope } => dx * f64::from(slope.abs()).max(1.0),
            Elu { alpha } => dx * f64::from(alpha.abs()).max(1.0),
            Selu { alpha, gamma } => dx * f64::from(gamma.abs()) * f64::from(alpha.abs()).max(1.0),
            Celu { .. } | Softplus { .. } => dx,
            // |f'| stays below 1.13 (gelu), 1.1 (silu, mish), 1.5 (hardswish); swish scales with beta alone.
            Gelu | GeluTanh | Mish | HardSwish => 1.5 * dx,
            Swish { beta } => dx * (1.5 + f64::from(beta.abs()) * 0.25 * dx),
            Exp | Log | Sqrt | Reciprocal => {
                let (lo, hi) = ends();
                (hi - lo).abs()
            }
            Threshold { threshold: t, .. } | ThresholdedRelu { alpha: t } if x - dx > f64::from(t) => dx,
            Floor | Ceil | Round | Sign | Threshold { .. } | ThresholdedRelu { .. } => {
                let (lo, hi) = ends();
                if hi == lo { 0.0 } else { f64::INFINITY }
            }
        }
    }

    /// The largest absolute error of an f32 evaluation of `y = f(x)` with the accuracies that WGSL promises:
    /// exp 3 + 2|x| ulp, division 2.5 ulp, log 3 ulp (2^-21 absolute in [0.5, 2]), inverseSqrt 2 ulp, the rest correctly rounded.
    pub fn bound(self, x: f64, y: f64) -> f64 {
        // In units of 2^-24: an ulp is at most two of them.
        const U: f64 = super::UNIT;
        let exp = |z: f64| 6.0 + 4.0 * z.abs().min(104.0);
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
            Exp => exp(x) * y_abs,
            // Below 0 the magnitude is at most alpha (1 - e^x); a polynomial near 0 keeps the error relative.
            Elu { alpha } | Celu { alpha } => 4.0 * y_abs + 16.0 * f64::from(alpha.abs()).min(4.0 * y_abs),
            Selu { alpha, gamma } => 4.0 * y_abs + 16.0 * f64::from((alpha * gamma).abs()).min(4.0 * y_abs),
            // e / (1 + e) and 1 / (1 + e) with e = exp(-|x|) <= 1.
            Sigmoid => (12.0 + exp(x)) * y_abs,
            Swish { beta } => (14.0 + 2.0 * exp(f64::from(beta) * x)) * y_abs,
            Mish => (16.0 + 2.0 * exp(x)) * y_abs,
            Tanh => 24.0 * y_abs,
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
            // Abramowitz and Stegun 7.1.26: 1.5e-7 absolute = 2.6 units, and 8 roundings of terms up to 1.
            Erf => 16.0 * y_abs,
            Gelu => {
                16.0 * y_abs
                    + 8.0 * x_abs.min(8.0) * (-0.25 * x * x).exp()
                    + if x < 0.0 { 3.0 * x_abs.min(8.0) } else { 0.0 }
            }
        };
        // Values that a device may flush to zero; softplus divides them by beta.
        let tiny = match self {
            Softplus { beta, .. } => super::TINY / f64::from(beta.abs()).min(1.0),
            _ => super::TINY,
        };
        error * U + if error == 0.0 { 0.0 } else { tiny }
    }
}

/// Above it the continued fraction of erfc is used instead of the Taylor series of erf.
const SERIES_END: f64 = 2.0;

/// The Taylor series of erf about 0: no digits are lost near 0.
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() && n < 200.0 {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    FRAC_2_SQRT_PI * sum
}

/// The error function to f64 accuracy of about 1e-15, relative.
pub fn erf(x: f64) -> f64 {
    if x.abs() < SERIES_END { erf_series(x) } else { x.signum() * (1.0 - erfc(x.abs())) }
}

/// 1 - erf(x) to f64 accuracy of about 1e-15: the series near 0, a continued fraction (Lentz) beyond.
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x > 27.0 {
        return 0.0;
    }
    if x < SERIES_END {
        return 1.0 - erf_series(x);
    }
    let mut f = x;
    for k in (1..=120).rev() {
        f = x + f64::from(k) / 2.0 / f;
    }
    (-x * x).exp() / f / std::f64::consts::PI.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far below 0 softplus is e^z: its bound is little more than WGSL's accuracy of exp, 3 + 2|z| ulp.
    #[test]
    fn softplus_may_be_off_by_what_exp_may_be() {
        let f = Activation::Softplus { beta: 2.0, threshold: 20.0 };
        for x in [-30.0, -8.0, -1.0] {
            let y = f.eval(x);
            let (z, units) = (2.0 * x, f.bound(x, y) / y / crate::reference::UNIT);
            let exp = 2.0 * (3.0 + 2.0 * f64::abs(z));
            assert!(units > exp && units < 1.25 * exp + 30.0, "{x}: {units} units, exp has {exp}");
        }
        let above = f.bound(9.0, f.eval(9.0)) / f.eval(9.0) / crate::reference::UNIT;
        assert!(above < 26.0, "{above}");
    }
}

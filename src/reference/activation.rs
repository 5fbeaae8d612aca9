//! Unary functions.

use crate::attr::Activation::{self, *};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI};

impl Activation {
    /// The value.
    pub fn eval(self, x: f64) -> f64 {
        if x.is_nan() {
            return match self {
                ThresholdedRelu { .. } => 0.0,
                FakeQuantize { scale, low, .. } => f64::from(scale) * f64::from(low),
                _ => x,
            };
        }
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Identity => x,
            Relu => x.max(0.0),
            // As torch.clamp: if min is above max, the result is max.
            Clamp { min, max } => x.max(min.into()).min(max.into()),
            LeakyRelu { .. } | Elu { .. } | Celu { .. } if x > 0.0 => x,
            LeakyRelu { slope } => x * f64::from(slope),
            Elu { alpha } => f64::from(alpha) * x.exp_m1(),
            Selu { alpha, gamma } => f64::from(gamma) * if x > 0.0 { x } else { f64::from(alpha) * x.exp_m1() },
            Celu { alpha } => f64::from(alpha) * (x / f64::from(alpha)).exp_m1(),
            Gelu => x * 0.5 * erfc(-x * FRAC_1_SQRT_2),
            // (1 + tanh z) / 2 = sigmoid(2 z), which has no cancellation.
            GeluTanh => x * sigmoid(2.0 * FRAC_2_PI.sqrt() * (x + 0.044715 * x * x * x)),
            Sigmoid => sigmoid(x),
            Tanh => x.tanh(),
            HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Affine { alpha, beta } => f64::from(alpha) * x + f64::from(beta),
            ScaledTanh { alpha, beta } => f64::from(alpha) * (f64::from(beta) * x).tanh(),
            HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Swish { beta } => x * sigmoid(f64::from(beta) * x),
            Mish => x * softplus(x).tanh(),
            Softplus { beta, threshold } => {
                let z = f64::from(beta) * x;
                // PyTorch compares numbers of the tensor's type.
                if z as f32 > threshold { x } else { softplus(z) / f64::from(beta) }
            }
            Softsign => x / (1.0 + x.abs()),
            Threshold { threshold: t, .. } | ThresholdedRelu { alpha: t } if x > f64::from(t) => x,
            Threshold { value, .. } => value.into(),
            ThresholdedRelu { .. } => 0.0,
            Exp => x.exp(),
            Log => x.ln(),
            Sqrt => x.sqrt(),
            Reciprocal => 1.0 / x,
            Abs => x.abs(),
            Neg => -x,
            Floor => x.floor(),
            Ceil => x.ceil(),
            Round => x.round_ties_even(),
            Sign if x == 0.0 => x,
            Sign => x.signum(),
            Erf => erf(x),
            FakeQuantize { scale, low, high } => f64::from(scale) * steps(x, scale, low, high),
        }
    }
}

/// The integer of a quantised number: `min(max(round(x / scale), low), high)`. The quotient is rounded to f32 first, as kernels
/// and ONNX have it.
pub fn steps(x: f64, scale: f32, low: f32, high: f32) -> f64 {
    let quotient = f64::from((x / f64::from(scale)) as f32);
    quotient.round_ties_even().max(low.into()).min(high.into())
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

//! Trigonometric and hyperbolic functions.

use crate::attr::Trigonometric::{self, *};

impl Trigonometric {
    /// The value.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Tan => x.tan(),
            Asin => x.asin(),
            Acos => x.acos(),
            Atan => x.atan(),
            Sinh => x.sinh(),
            Cosh => x.cosh(),
            Asinh => x.asinh(),
            Acosh if x < 1.0 => f64::NAN,
            // log(x + sqrt(x^2 - 1)) without the differences that lose digits near 1.
            Acosh => {
                let t = x - 1.0;
                (t + (t * (t + 2.0)).sqrt()).ln_1p()
            }
            // Of the magnitude: 1 - x keeps the digits near 1, and would not near -1.
            Atanh => x.abs().atanh().copysign(x),
        }
    }
}

//! Trigonometric and hyperbolic functions.

use super::attribute;

attribute! {
    /// A function of angles or of a hyperbola, or its inverse; `sin`, `cos` and `tanh` are elsewhere.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Trigonometric, "TRIGONOMETRIC", named {
        /// tangent
        Tan = "tan",
        /// inverse sine, NaN beyond 1
        Asin = "asin",
        /// inverse cosine, NaN beyond 1
        Acos = "acos",
        /// inverse tangent
        Atan = "atan",
        /// (e^x - e^-x) / 2
        Sinh = "sinh",
        /// (e^x + e^-x) / 2
        Cosh = "cosh",
        /// inverse hyperbolic sine
        Asinh = "asinh",
        /// inverse hyperbolic cosine, NaN below 1
        Acosh = "acosh",
        /// inverse hyperbolic tangent, infinite at 1, NaN beyond
        Atanh = "atanh",
    }
}

//! How far a correct evaluation in f32 may be from the reference: derived, never tuned. A file per operator, beside those of
//! `reference`.
//!
//! The accuracies are those that WGSL promises (<https://www.w3.org/TR/WGSL/#floating-point-accuracy>), as relative errors; an
//! ulp is at most two units. What is not here is correctly rounded: one [`UNIT`].

pub mod activation;
mod binary;
pub mod deform_columns;
pub mod det;
pub mod grid_sample;
pub mod local_response_norm;
pub mod moments;
pub mod normalize;
pub mod recurrent;
mod reduce;
pub mod roi_align;
pub mod roi_pool;
pub mod sine;
pub mod softmax;
mod trigonometry;
pub mod winograd;

use crate::tensor::Tensor;

/// Unit roundoff of f32.
pub const UNIT: f64 = 1.0 / (1u64 << 24) as f64;

/// The smallest normal f32: the largest error of a device that flushes subnormals to zero.
pub const TINY: f64 = f32::MIN_POSITIVE as f64;

/// An ulp, at most.
const ULP: f64 = 2.0 * UNIT;

/// A quotient whose divisor is within 2^-126 and 2^126.
pub const DIVISION: f64 = 2.5 * ULP;

/// `inverseSqrt`.
pub const INVERSE_SQRT: f64 = 2.0 * ULP;

/// `sqrt`, which is inherited from `1 / inverseSqrt`.
pub const SQRT: f64 = INVERSE_SQRT + DIVISION;

/// `log` and `log2` outside [1/2, 2].
pub const LOG: f64 = 3.0 * ULP;

/// The absolute error of `log` and `log2` in [1/2, 2].
pub const LOG_NEAR_ONE: f64 = 1.0 / (1u64 << 21) as f64;

/// `exp` and `exp2` of `x`: 3 + 2 |x| ulp.
pub fn exp(x: f64) -> f64 {
    (3.0 + 2.0 * x.abs()) * ULP
}

/// The absolute error of a logarithm whose value is `y`.
pub fn log(y: f64) -> f64 {
    f64::max(LOG * y.abs(), LOG_NEAR_ONE)
}

/// The bounds of outputs that are moved by their bits, or integers.
pub fn exact(outputs: &[Tensor]) -> Vec<Vec<f32>> {
    outputs.iter().map(|t| vec![0.0; t.numel()]).collect()
}

/// The bound of the largest or the smallest of some values: a device that flushes subnormal numbers may take any of them for
/// another, which is up to twice `TINY` away.
pub fn extreme(value: f64) -> f64 {
    if value.abs() < TINY { 2.0 * TINY } else { 0.0 }
}

/// The bounds of such values.
pub fn extremes(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&v| extreme(v.into()) as f32).collect()
}

/// The bounds of indices of values of `x`: a device that flushes subnormals to zero may take any of them for another one.
pub fn indices(of: impl IntoIterator<Item = f64>, x: &Tensor) -> Vec<f32> {
    let is_tiny = |v: f64| v.abs() < TINY;
    let flushes = x.dtype().is_float() && x.iter_f64s().any(|v| v != 0.0 && is_tiny(v));
    of.into_iter().map(|v| if flushes && is_tiny(v) { x.numel() as f32 } else { 0.0 }).collect()
}

/// What a sum of `n` products loses at most on a device that flushes subnormals to zero: of each term a factor, the product, and
/// the sum so far.
pub fn flushed_products(n: usize, a: &Tensor, b: &Tensor) -> f64 {
    let largest = |t: &Tensor| t.f32s().iter().filter(|v| v.is_finite()).fold(0.0f32, |most, v| most.max(v.abs()));
    (n + 1) as f64 * (2.0 + f64::from(largest(a)) + f64::from(largest(b))) * TINY
}

/// With this probability some element of a correct result is beyond [`probable`] times its bound.
pub const FAILURE: f64 = 1e-6;

/// The share of a bound within which the error of a sum stays, where rounding errors are independent and of mean 0.
///
/// A sum of n roundings then has an error of at most `lambda sqrt(n) u` times the sum of the absolute terms, with a probability of
/// at least `1 - 2 n exp(-lambda^2 / 2)` per element (Higham and Mary, A New Approach to Probabilistic Rounding Error Analysis,
/// SIAM J. Sci. Comput. 41, 2019, theorems 2.4 and 3.1), where the bound has `gamma_n`, about `n u`. `lambda` is such that
/// all of the elements together fail with a probability of at most [`FAILURE`].
pub fn probable(roundings: usize, elements: usize) -> f64 {
    let n = roundings.max(1) as f64;
    let lambda = (2.0 * (2.0 * n * elements.max(1) as f64 / FAILURE).ln()).sqrt();
    (lambda / n.sqrt()).min(1.0)
}

/// `gamma_k = k u / (1 - k u)`: the relative error of k roundings (Higham, Accuracy and Stability of Numerical
/// Algorithms, 3.1).
pub fn gamma(k: usize) -> f64 {
    let ku = k as f64 * UNIT;
    ku / (1.0 - ku)
}

#[cfg(test)]
mod tests {
    use super::probable;

    /// By the formula, with a calculator.
    #[test]
    fn long_sums_probably_lose_less() {
        assert_eq!([probable(1, 1), probable(36, 1)], [1.0, 1.0]);
        assert!((probable(37, 1) - 0.989_665).abs() < 1e-6);
        assert!((probable(1000, 10_000) - 0.247_495).abs() < 1e-6);
        assert!(probable(0, 0) <= 1.0);
    }
}

//! Sine and cosine.

use super::UNIT;

/// The largest absolute error of sin x or cos x by `shaders/shared/turns.wgsl`: two roundings of the reduced argument, which
/// is below 1 (u / 2 each), at most six of the polynomial, and its own error, below 2 u; beyond |q| = 2^13 quarter turns also the
/// roundings of the products with the parts of pi / 2, 2 u |x| each for two products and two differences.
///
/// That counts a rounding for every product and every difference of the reduction, so it holds whether `fma` is fused or not. The
/// terms of the polynomials and their sums are at most 1, so it holds for any order of them, too.
pub fn bound(x: f64) -> f64 {
    let far = if x.abs() < 8192.0 { 0.0 } else { 8.0 * UNIT * x.abs() };
    (9.0 * UNIT + far).min(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 8192 on the products with the parts of pi / 2 round.
    #[test]
    fn the_promise_ends_at_8192() {
        assert_eq!(bound(8191.9), bound(0.5));
        assert!(bound(8192.0) > 8.0 * UNIT * 8192.0 && bound(-8192.0) == bound(8192.0));
        assert_eq!(bound(1e30), 2.0);
    }
}

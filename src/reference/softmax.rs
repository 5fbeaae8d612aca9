//! Softmax and its logarithm.

/// The softmax of one set of values, or its logarithm. A set with a NaN or +inf, or of -inf alone, gives NaNs.
pub fn softmax(x: &[f64], log: bool) -> Vec<f64> {
    let m = maximum(x);
    let sum: f64 = x.iter().map(|v| (v - m).exp()).sum();
    x.iter().map(|v| if log { v - m - sum.ln() } else { (v - m).exp() / sum }).collect()
}

/// The largest value; NaN if there is one.
pub fn maximum(x: &[f64]) -> f64 {
    x.iter().fold(f64::NEG_INFINITY, |m, &v| if v.is_nan() || v > m { v } else { m })
}

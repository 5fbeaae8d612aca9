//! The meaning of the operators: plain loops, sums in f64 rounded once, no `unsafe`, no device.

pub mod activation;
pub mod adaptive_pool2d;
pub mod binary;
pub mod concat;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod elements;
pub mod half;
pub mod local_response_norm;
pub mod matmul;
pub mod moments;
pub mod normalize;
pub mod pad;
pub mod pixel_shuffle;
pub mod pixels;
pub mod pool2d;
mod products;
pub mod reduce;
pub mod resize;
pub mod sine;
pub mod softmax;
pub mod top_k;
pub mod winograd;

/// Unit roundoff of f32.
pub const UNIT: f64 = 1.0 / (1u64 << 24) as f64;

/// The smallest normal f32: the largest error of a device that flushes subnormals to zero.
pub const TINY: f64 = f32::MIN_POSITIVE as f64;

/// `gamma_k = k u / (1 - k u)`: the relative error of k roundings (Higham, Accuracy and Stability of Numerical
/// Algorithms, 3.1).
pub fn gamma(k: usize) -> f64 {
    let ku = k as f64 * UNIT;
    ku / (1.0 - ku)
}

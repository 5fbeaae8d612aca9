//! The meaning of the operators: plain loops, sums in f64 rounded once, no `unsafe`, no device.

pub mod activation;
pub mod adaptive_pool2d;
pub mod binary;
pub mod concat;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod elements;
pub mod grid_sample;
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
pub mod recurrent;
pub mod reduce;
pub mod resize;
pub mod softmax;
pub mod top_k;
mod trigonometry;
pub mod winograd;

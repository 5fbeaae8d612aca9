//! Every operator on the test device against oracles: PyTorch's answers, the reference, integers with `==`.

mod support;

mod adaptive_pool2d;
mod batch_norm;
mod conv2d;
mod group_norm;
mod layer_norm;
mod pad;
mod pixel_shuffle;
mod pool2d;
mod resize;
mod unary;

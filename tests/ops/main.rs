//! Every operator on the test device against oracles: PyTorch's answers, the reference, integers with `==`.

mod support;

mod batch_norm;
mod conv2d;
mod group_norm;
mod layer_norm;
mod local_response_norm;
mod reduce;
mod softmax;
mod unary;

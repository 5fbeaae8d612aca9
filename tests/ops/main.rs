//! Every operator on the test device against oracles: PyTorch's answers, the reference, integers with `==`.

mod support;

mod conv2d;
mod unary;

//! Every operator on the test device against oracles: PyTorch's answers, the reference, integers with `==`.

mod support;

mod binary;
mod cast;
mod concat;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod gather;
mod matmul;
mod movement;
mod prelu;
mod select;
mod unary;

//! LeNet-5 (LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998) with tanh and average pooling.

use convgpu::nn::{AvgPool2d, Conv2d, Flatten, Linear, Module, Sequential, Tanh};
use convgpu::{Desc, Graph, Result};

use super::digits::SIZE;

const WEIGHTS: &[u8] = include_bytes!("../../data/lenet5_mnist.safetensors");

/// The name of the input, `[batch, 1, 28, 28]`.
pub const INPUT: &str = "x";

/// From `x` `[batch, 1, 28, 28]` to the logits, `[batch, 10]`.
pub fn lenet(batch: usize) -> Result<Graph> {
    let mut net = Sequential::new()
        .with(Conv2d::new(1, 6, 5).padding(2))
        .with(Tanh)
        .with(AvgPool2d::new(2))
        .with(Conv2d::new(6, 16, 5))
        .with(Tanh)
        .with(AvgPool2d::new(2))
        .with(Flatten::new())
        .with(Linear::new(400, 120))
        .with(Tanh)
        .with(Linear::new(120, 84))
        .with(Tanh)
        .with(Linear::new(84, 10));
    net.eval();
    net.load_bytes(WEIGHTS)?;
    net.graph(Desc::f32([batch, 1, SIZE, SIZE]))
}

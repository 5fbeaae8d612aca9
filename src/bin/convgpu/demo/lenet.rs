//! LeNet-5 (LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998) with tanh and average pooling,
//! from the state dict of `Sequential(Conv2d(1, 6, 5, padding=2), Tanh, AvgPool2d(2), Conv2d(6, 16, 5), Tanh,
//! AvgPool2d(2), Flatten, Linear(400, 120), Tanh, Linear(120, 84), Tanh, Linear(84, 10))`.

use convgpu::graph::ValueId;
use convgpu::ops::conv2d::Conv2d;
use convgpu::ops::reshape::Reshape;
use convgpu::ops::unary::{Activation, Unary};
use convgpu::{Desc, Error, ErrorKind, Graph, Result, Tensor};
use safetensors::SafeTensors;

use super::digits::SIZE;

const WEIGHTS: &[u8] = include_bytes!("../../../../data/lenet5_mnist.safetensors");

/// The name of the input, `[batch, 1, 28, 28]`.
pub const INPUT: &str = "digits";

/// From `digits` `[batch, 1, 28, 28]` to `logits` `[batch, 10, 1, 1]`.
pub fn lenet(batch: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let x = g.input(INPUT, Desc::f32([batch, 1, SIZE, SIZE]))?;
    let x = conv(&mut g, 0, x, 2)?;
    let x = g.apply("1", Unary(Activation::Tanh), &[x])?;
    let x = average(&mut g, 2, x)?;
    let x = conv(&mut g, 3, x, 0)?;
    let x = g.apply("4", Unary(Activation::Tanh), &[x])?;
    let x = average(&mut g, 5, x)?;
    let x = g.apply("6", Reshape { shape: vec![batch, 400, 1, 1] }, &[x])?;
    let x = conv(&mut g, 7, x, 0)?;
    let x = g.apply("8", Unary(Activation::Tanh), &[x])?;
    let x = conv(&mut g, 9, x, 0)?;
    let x = g.apply("10", Unary(Activation::Tanh), &[x])?;
    let x = conv(&mut g, 11, x, 0)?;
    g.output("logits", x);
    Ok(g)
}

/// A convolution or, on 1x1 images, a linear layer.
fn conv(g: &mut Graph, layer: usize, x: ValueId, padding: usize) -> Result<ValueId> {
    let mut weight = weight(&format!("{layer}.weight"))?;
    if let [outputs, inputs] = *weight.shape() {
        weight = weight.reshape([outputs, inputs, 1, 1])?;
    }
    let weight = g.constant(format!("{layer}.weight"), weight)?;
    let bias = g.constant(format!("{layer}.bias"), self::weight(&format!("{layer}.bias"))?)?;
    g.apply(layer.to_string(), Conv2d { padding: [padding; 4], ..Conv2d::default() }, &[x, weight, bias])
}

/// The mean of every 2x2 block, as a convolution of each channel by itself.
fn average(g: &mut Graph, layer: usize, x: ValueId) -> Result<ValueId> {
    let channels = g.shape(x)[1];
    let quarter = g.constant(format!("{layer}.weight"), Tensor::full([channels, 1, 2, 2], 0.25))?;
    let op = Conv2d { stride: [2, 2], groups: channels, ..Conv2d::default() };
    g.apply(layer.to_string(), op, &[x, quarter])
}

fn weight(name: &str) -> Result<Tensor> {
    let broken = |e| Error::new(ErrorKind::File, format!("the embedded weights: {e}"));
    let file = SafeTensors::deserialize(WEIGHTS).map_err(broken)?;
    let view = file.tensor(name).map_err(broken)?;
    let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Tensor::new(view.shape(), values.collect::<Vec<_>>())
}

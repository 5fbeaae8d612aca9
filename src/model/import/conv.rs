//! Conv.

use super::operators::Operator;
use super::window::Window;
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};
use crate::ops::conv2d::Conv2d;

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Conv", &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"], conv)];

/// <https://onnx.ai/onnx/operators/onnx__Conv.html>
fn conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight) = (node.input(0)?, node.input(1)?);
    let window = Window::of(node, x.shape(), weight.shape().get(2..))?;
    let (padding, crop) = window.split_padding();
    if crop != [0; 4] {
        return Err(Error::unsupported(format!("negative pads {:?}", window.padding)));
    }
    let op = Conv2d { stride: window.stride, padding, dilation: window.dilation, groups: node.count("group", 1)? };
    let image = import.as_image(x)?;
    let weight = import.as_image(weight)?;
    let mut inputs = vec![&image, &weight];
    inputs.extend(node.optional(2));
    let y = import.apply(op, &inputs)?;
    Ok(vec![import.from_image(&y, x.rank())?])
}

//! Conv and ConvTranspose.

use super::operator::Operator;
use super::window::{AutoPad, Sliding, pads, pair, spatial};
use super::{Import, NodeView, Val};
use crate::attr::{PadMode, Window};
use crate::error::{Error, Result};
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::pad::Pad;

/// Attributes that [`Import::conv`] reads.
pub(super) const ATTRIBUTES: &[&str] = &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Conv", ATTRIBUTES, conv),
    Operator::new(
        "ConvTranspose",
        &["auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"],
        conv_transpose,
    ),
];

/// <https://onnx.ai/onnx/operators/onnx__Conv.html>
fn conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    Ok(vec![import.conv(node, node.input(0)?, node.input(1)?, node.optional(2))?])
}

impl Import<'_> {
    /// The convolution that a node's attributes say.
    pub fn conv(&mut self, node: &NodeView, x: &Val, weight: &Val, bias: Option<&Val>) -> Result<Val> {
        let (op, image, weight) = self.convolution(node, x, weight)?;
        let inputs: Vec<&Val> = [&image, &weight].into_iter().chain(bias).collect();
        let y = self.apply(op, &inputs)?;
        self.as_rank(&y, x.rank())
    }

    /// The operator, and its inputs as images.
    pub fn convolution(&mut self, node: &NodeView, x: &Val, weight: &Val) -> Result<(Conv2d, Val, Val)> {
        let (window, crop) = Sliding::of(node, x.shape(), weight.shape().get(2..))?.split();
        let Window { stride, padding, dilation, .. } = window;
        let mut image = self.as_image(x)?;
        if crop != [[0; 2]; 2] {
            let pads = [[[0; 2]; 2], crop].concat();
            image = self.apply(Pad { pads, mode: PadMode::Constant(0.0) }, &[&image])?;
        }
        let weight = self.as_image(weight)?;
        Ok((Conv2d { stride, padding, dilation, groups: node.count("group", 1)? }, image, weight))
    }
}

/// <https://onnx.ai/onnx/operators/onnx__ConvTranspose.html>
fn conv_transpose(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight) = (node.input(0)?, node.input(1)?);
    let window = Sliding::of(node, x.shape(), weight.shape().get(2..))?;
    let axes = spatial(node, x.shape())?;
    let extra = node.counts("output_padding")?.unwrap_or(vec![0; axes.len()]);
    let mut op = ConvTranspose2d {
        stride: window.stride,
        padding: [[0; 2]; 2],
        output_padding: if axes.len() == 1 && extra.len() == 1 {
            [0, extra[0]]
        } else {
            pair("output_padding", axes, &extra)?
        },
        dilation: window.dilation,
        groups: node.count("group", 1)?,
    };
    match output_shape(node, axes)? {
        Some(output) => fit(&mut op, &window, AutoPad::of(node)?, pair("the input", axes, axes)?, output)?,
        None if AutoPad::of(node)? == AutoPad::NotSet => {
            let pads = pads(node, axes.len())?;
            op.padding = pads.map(|axis| axis.map(|p| p.max(0) as usize));
            if pads.as_flattened().iter().any(|&p| p < 0) {
                return Err(Error::unsupported(format!("ConvTranspose with negative pads {pads:?}")));
            }
        }
        None => {}
    }
    let image = import.as_image(x)?;
    let weight = import.as_image(weight)?;
    let inputs: Vec<&Val> = [&image, &weight].into_iter().chain(node.optional(2)).collect();
    let y = import.apply(op, &inputs)?;
    Ok(vec![import.as_rank(&y, x.rank())?])
}

/// The output's extents, if `output_shape` or `auto_pad` fixes them: `input x stride` for the latter.
fn output_shape(node: &NodeView, axes: &[usize]) -> Result<Option<[usize; 2]>> {
    if let Some(shape) = node.counts("output_shape")? {
        let behind = shape.len().saturating_sub(axes.len());
        return pair("output_shape", axes, &shape[behind..]).map(Some);
    }
    if ![AutoPad::SameUpper, AutoPad::SameLower].contains(&AutoPad::of(node)?) {
        return Ok(None);
    }
    let strides = node.counts("strides")?.unwrap_or(vec![1; axes.len()]);
    let extents: Vec<_> = axes.iter().zip(&strides).map(|(&n, &s)| n.saturating_mul(s)).collect();
    pair("the output", axes, &extents).map(Some)
}

/// Sets padding and output padding so that the output has these extents.
fn fit(op: &mut ConvTranspose2d, window: &Sliding, auto: AutoPad, input: [usize; 2], output: [usize; 2]) -> Result<()> {
    for k in 0..2 {
        let spread = (input[k].saturating_sub(1) as i128) * window.stride[k] as i128;
        let total = spread + window.span(k) as i128 + op.output_padding[k] as i128 - output[k] as i128;
        let total = i64::try_from(total).map_err(|_| Error::shape("the output of ConvTranspose is too large"))?;
        // Only SAME_UPPER puts the extra element at the end (the operator's documentation).
        let auto = if auto == AutoPad::SameUpper { auto } else { AutoPad::SameLower };
        let [begin, end] = auto.halves(total.max(0));
        op.padding[k] = [begin as usize, end as usize];
        op.output_padding[k] += (-total).max(0) as usize;
    }
    Ok(())
}

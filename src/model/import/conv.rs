//! Conv and ConvTranspose.

use super::operator::Operator;
use super::window::{AutoPad, Sliding, spatial};
use super::{Import, NodeView, Val};
use crate::attr::{PadMode, Window};
use crate::error::{Error, Result};
use crate::graph::volume::Conv3d;
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
        if x.rank() > 4 {
            return self.conv3d(node, x, weight, bias);
        }
        let (op, image, weight) = self.convolution(node, x, weight)?;
        let inputs: Vec<&Val> = [&image, &weight].into_iter().chain(bias).collect();
        let y = self.apply(op, &inputs)?;
        self.as_rank(&y, x.rank())
    }

    /// The operator, and its inputs as images.
    pub fn convolution(&mut self, node: &NodeView, x: &Val, weight: &Val) -> Result<(Conv2d, Val, Val)> {
        let (window, crop) = Sliding::of(node, x.shape(), weight.shape().get(2..))?.split();
        let Window { stride, padding, dilation, .. } = window;
        let image = self.as_image(x)?;
        let image = self.cropped(&image, &crop)?;
        let weight = self.as_image(weight)?;
        Ok((Conv2d { stride, padding, dilation, groups: node.count("group", 1)? }, image, weight))
    }

    /// Of volumes.
    fn conv3d(&mut self, node: &NodeView, x: &Val, weight: &Val, bias: Option<&Val>) -> Result<Val> {
        let (window, crop) = Sliding::of(node, x.shape(), weight.shape().get(2..))?.split();
        let Window { stride, padding, dilation, .. } = window;
        let x = self.cropped(x, &crop)?;
        Conv3d { stride, padding, dilation, groups: node.count("group", 1)? }.apply(self, &x, weight, bias)
    }

    /// Less what negative pads cut off.
    fn cropped(&mut self, x: &Val, crop: &[[i64; 2]]) -> Result<Val> {
        if crop.as_flattened().iter().all(|&n| n == 0) {
            return Ok(x.clone());
        }
        let pads = [&[[0; 2]; 2], crop].concat();
        self.apply(Pad { pads, mode: PadMode::Constant(0.0) }, &[x])
    }
}

/// <https://onnx.ai/onnx/operators/onnx__ConvTranspose.html>
fn conv_transpose(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight) = (node.input(0)?, node.input(1)?);
    let window = Sliding::of(node, x.shape(), weight.shape().get(2..))?;
    let axes = spatial(node, x.shape(), 2)?;
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
            let pads = window.padding;
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

/// A value for each of two axes; an image of one axis is one row.
fn pair(what: &str, spatial: &[usize], list: &[usize]) -> Result<[usize; 2]> {
    match (spatial.len(), list) {
        (1, &[a]) => Ok([1, a]),
        (2, &[a, b]) => Ok([a, b]),
        _ => Err(Error::shape(format!("{what} {list:?} does not fit {} spatial axes", spatial.len()))),
    }
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

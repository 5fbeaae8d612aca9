//! MaxPool, AveragePool, LpPool, GlobalAveragePool, GlobalMaxPool.

use super::operators::Operator;
use super::window::{AutoPad, Window};
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};
use crate::ops::adaptive_pool2d::{AdaptivePool2d, Kind};
use crate::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};

const AVERAGE: &[&str] =
    &["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"];
const MAX: &[&str] = &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"];
const LP: &[&str] = &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "p", "pads", "strides"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("AveragePool", AVERAGE, average_pool),
    Operator::new("GlobalAveragePool", &[], |i, n| global_pool(i, n, Kind::Avg)),
    Operator::new("GlobalMaxPool", &[], |i, n| global_pool(i, n, Kind::Max)),
    Operator::new("LpPool", LP, lp_pool),
    Operator::new("MaxPool", MAX, max_pool),
];

/// A last window may hang over the end only where the pads are written out: `auto_pad` fixes the output's size.
fn ceil_mode(node: &NodeView) -> Result<bool> {
    Ok(node.flag("ceil_mode", false)? && AutoPad::of(node)? == AutoPad::NotSet)
}

/// <https://onnx.ai/onnx/operators/onnx__MaxPool.html>
fn max_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let window = Window::of(node, x.shape(), None)?;
    let indices = match (node.gives(1), node.flag("storage_order", false)?) {
        (false, _) => Indices::None,
        (true, false) => Indices::Tensor,
        (true, true) => Indices::TensorColumnMajor,
    };
    let op = MaxPool2d {
        kernel: window.kernel,
        stride: window.stride,
        padding: window.positive_padding()?,
        dilation: window.dilation,
        ceil_mode: ceil_mode(node)?,
        indices,
    };
    let image = import.as_image(x)?;
    let outputs = import.apply_all(op, &[&image])?;
    outputs.iter().map(|y| import.as_rank(y, x.rank())).collect()
}

/// <https://onnx.ai/onnx/operators/onnx__AveragePool.html>
fn average_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let window = Window::of(node, x.shape(), None)?;
    let op = AvgPool2d {
        kernel: window.kernel,
        stride: window.stride,
        padding: window.positive_padding()?,
        dilation: window.dilation,
        ceil_mode: ceil_mode(node)?,
        count_include_pad: node.flag("count_include_pad", false)?,
        divisor_override: None,
    };
    let image = import.as_image(x)?;
    let y = import.apply(op, &[&image])?;
    Ok(vec![import.as_rank(&y, x.rank())?])
}

/// <https://onnx.ai/onnx/operators/onnx__LpPool.html>
fn lp_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let window = Window::of(node, x.shape(), None)?;
    let p = node.count("p", 2)?;
    let op = LpPool2d {
        kernel: window.kernel,
        stride: window.stride,
        padding: window.positive_padding()?,
        dilation: window.dilation,
        ceil_mode: ceil_mode(node)?,
        p: u32::try_from(p).map_err(|_| Error::argument(format!("LpPool with p = {p}")))?,
    };
    let image = import.as_image(x)?;
    let y = import.apply(op, &[&image])?;
    Ok(vec![import.as_rank(&y, x.rank())?])
}

/// One value a channel, whatever the number of spatial axes.
fn global_pool(import: &mut Import, node: &NodeView, kind: Kind) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let [n, c, spatial @ ..] = x.shape() else {
        return Err(Error::shape(format!("{} of {}: there must be [n, c] and spatial axes", node.op(), x.desc())));
    };
    let (rows, columns) = spatial.split_at(spatial.len().saturating_sub(1));
    let (rows, columns) = (rows.iter().product(), columns.iter().product());
    let image = import.reshape(x, &[*n, *c, rows, columns])?;
    let y = import.apply(AdaptivePool2d { output: [1, 1], kind }, &[&image])?;
    let mut shape = vec![1; x.rank()];
    shape[..2].copy_from_slice(&[*n, *c]);
    Ok(vec![import.reshape(&y, &shape)?])
}

//! GridSample and AffineGrid.

use super::node_view::counts;
use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::{GridSampleMode, GridSamplePadding};
use crate::error::{Error, Result};
use crate::ops::grid_sample::{GridSample, base_grid};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("AffineGrid", &["align_corners"], affine_grid).host(&[1]),
    Operator::new("GridSample", &["align_corners", "mode", "padding_mode"], grid_sample),
];

/// <https://onnx.ai/onnx/operators/onnx__GridSample.html>. The modes of version 16 have PyTorch's names, those of version 20
/// other ones; each is understood in both.
fn grid_sample(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let mode = match node.string("mode", "linear")? {
        "linear" | "bilinear" => GridSampleMode::Bilinear,
        "nearest" => GridSampleMode::Nearest,
        "cubic" | "bicubic" => GridSampleMode::Bicubic,
        other => return Err(Error::unsupported(format!("GridSample with mode = {other}"))),
    };
    let padding_mode = match node.string("padding_mode", "zeros")? {
        "zeros" => GridSamplePadding::Zeros,
        "border" => GridSamplePadding::Border,
        "reflection" => GridSamplePadding::Reflection,
        other => return Err(Error::unsupported(format!("GridSample with padding_mode = {other}"))),
    };
    let op = GridSample { mode, padding_mode, align_corners: node.flag("align_corners", false)? };
    Ok(vec![import.apply(op, &[node.input(0)?, node.input(1)?])?])
}

/// <https://onnx.ai/onnx/operators/onnx__AffineGrid.html>: the product of theta and the coordinates of the pixels.
fn affine_grid(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let theta = node.input(0)?;
    let size = counts("the size", &node.host_ints(1)?.unwrap_or_default())?;
    let base = base_grid(theta.shape(), &size, node.flag("align_corners", false)?)?;
    let columns = import.permute(theta, &[0, 2, 1])?;
    let grid = import.product(&base.into(), &columns)?;
    Ok(vec![import.reshape(&grid, &[&size[..1], &size[2..], &[size.len() - 2]].concat())?])
}

//! RoiAlign and MaxRoiPool.

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::PoolKind;
use crate::error::{Error, Result};
use crate::ops::cast::Cast;
use crate::ops::roi_align::RoiAlign;
use crate::ops::roi_pool::RoiPool;
use crate::ops::split::Split;
use crate::shape::DType;

const ALIGN: &[&str] =
    &["coordinate_transformation_mode", "mode", "output_height", "output_width", "sampling_ratio", "spatial_scale"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("MaxRoiPool", &["pooled_shape", "spatial_scale"], max_roi_pool),
    Operator::new("RoiAlign", ALIGN, roi_align),
];

/// <https://onnx.ai/onnx/operators/onnx__RoiAlign.html>. Before version 16 the centres of pixels were whole numbers.
fn roi_align(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let kind = match node.string("mode", "avg")? {
        "avg" => PoolKind::Avg,
        "max" => PoolKind::Max,
        other => return Err(Error::unsupported(format!("RoiAlign with mode = {other}"))),
    };
    let default = if node.opset < 16 { "output_half_pixel" } else { "half_pixel" };
    let aligned = match node.string("coordinate_transformation_mode", default)? {
        "half_pixel" => true,
        "output_half_pixel" => false,
        other => {
            return Err(Error::unsupported(format!("RoiAlign with coordinate_transformation_mode = {other}")));
        }
    };
    let op = RoiAlign {
        output: [node.count("output_height", 1)?, node.count("output_width", 1)?],
        spatial_scale: node.float("spatial_scale", 1.0)?,
        sampling_ratio: node.count("sampling_ratio", 0)?,
        aligned,
        kind,
    };
    Ok(vec![import.apply(op, &[node.input(0)?, node.input(1)?, node.input(2)?])?])
}

/// <https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html>: the first column of the regions numbers the images.
fn max_roi_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, regions) = (node.input(0)?, node.input(1)?);
    let &[k, 5] = regions.shape() else {
        return Err(Error::shape(format!("the regions must be [k, 5], not {:?}", regions.shape())));
    };
    let shape = node.counts("pooled_shape")?.unwrap_or_default();
    let Ok(output) = <[usize; 2]>::try_from(&shape[..]) else {
        return Err(Error::file(format!("pooled_shape of MaxRoiPool must be a height and a width, is {shape:?}")));
    };
    let parts = import.apply_all(Split { axis: 1, sizes: vec![1, 4] }, &[regions])?;
    let images = import.reshape(&parts[0], &[k])?;
    let images = import.apply(Cast { to: DType::I32 }, &[&images])?;
    let op = RoiPool { output, spatial_scale: node.float("spatial_scale", 1.0)? };
    Ok(vec![import.apply(op, &[x, &parts[1], &images])?])
}

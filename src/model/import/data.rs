//! Operators that move elements: Concat, Split, Slice, Transpose, Expand, Tile, Gather, Pad, ConstantOfShape, Range,
//! DepthToSpace, SpaceToDepth.

use std::sync::Arc;

use super::node_view::{axes, counts};
use super::operator::Operator;
use super::{Import, NodeView, Val, checked_numel};
use crate::attr::PadMode;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::ops::concat::Concat;
use crate::ops::expand::Expand;
use crate::ops::gather::Gather;
use crate::ops::pad::Pad;
use crate::ops::permute::Permute;
use crate::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use crate::ops::slice::Slice;
use crate::ops::split::Split;
use crate::ops::tile::Tile;
use crate::shape::{DType, broadcast};
use crate::tensor::{Data, Elements, Tensor, for_each_type};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("CenterCropPad", &["axes"], center_crop_pad).host(&[1]),
    Operator::new("Concat", &["axis"], concat),
    Operator::new("ConstantOfShape", &["value"], constant_of_shape).host(&[0]),
    Operator::new("DepthToSpace", &["blocksize", "mode"], depth_to_space),
    Operator::new("Expand", &[], expand).host(&[1]),
    Operator::new("Gather", &["axis"], gather),
    Operator::new("Pad", &["mode", "paddings", "pads", "value"], pad).host(&[1, 2, 3]),
    Operator::new("Range", &[], range).host(&[0, 1, 2]),
    Operator::new("Slice", &["axes", "ends", "starts"], slice).host(&[1, 2, 3, 4]),
    Operator::new("SpaceToDepth", &["blocksize", "mode"], space_to_depth),
    Operator::new("Split", &["axis", "num_outputs", "split"], split).host(&[1]),
    Operator::new("Tile", &[], tile).host(&[1]),
    Operator::new("Transpose", &["perm"], transpose),
];

impl Import<'_> {
    /// Axes in another order: output axis `i` is input axis `order[i]`.
    pub fn permute(&mut self, x: &Val, order: &[usize]) -> Result<Val> {
        let op = Permute { order: order.to_vec() };
        let shape = op.outputs(&[x.desc()])?.swap_remove(0).shape;
        if op.only_moves_ones(x.shape()) {
            return self.reshape(x, &shape);
        }
        self.apply(op, &[x])
    }

    /// Repeated along axes of extent 1.
    pub fn expand(&mut self, x: &Val, shape: &[usize]) -> Result<Val> {
        if x.shape() == shape {
            return Ok(x.clone());
        }
        let n = checked_numel(shape)?;
        match x.known() {
            Some(one) if one.numel() == 1 && x.rank() <= shape.len() && self.affords_room(n) => {
                self.affords_memory(shape, one.dtype())?;
                Ok(filled(one, shape, n).into())
            }
            _ => self.apply(Expand { shape: shape.to_vec() }, &[x]),
        }
    }
}

/// `n` copies of a single element: a fast form of `Expand`.
fn filled(one: &Tensor, shape: &[usize], n: usize) -> Tensor {
    Tensor::of(shape, for_each_type!(one.data(), v => repeated(v[0], n)))
}

fn repeated<T: Elements>(one: T, n: usize) -> Data {
    T::wrap(vec![one; n])
}

fn concat(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let inputs = node.inputs()?;
    // Only versions before 4 have a default.
    let axis = node.axis(1, inputs[0].rank())?;
    if let [x] = inputs[..] {
        return Ok(vec![x.clone()]);
    }
    Ok(vec![import.apply(Concat { axis }, &inputs)?])
}

/// <https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html>
fn constant_of_shape(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let shape = counts("the shape", &node.host_ints(0)?.unwrap_or_default())?;
    let value = node.tensor("value")?.unwrap_or(Tensor::scalar(0.0));
    if value.numel() != 1 {
        return Err(Error::file(format!("the value of ConstantOfShape is {}, not one element", value.desc())));
    }
    let value = value.reshape(vec![1; shape.len()])?;
    Ok(vec![import.expand(&value.into(), &shape)?])
}

/// Broadcasts in both directions: an extent of 1 in the target keeps that of the input.
fn expand(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let wanted = counts("the shape", &node.host_ints(1)?.unwrap_or_default())?;
    let shape = broadcast(x.shape(), &wanted)?;
    Ok(vec![import.expand(x, &shape)?])
}

fn tile(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let repeats = counts("repeats", &node.host_ints(1)?.unwrap_or_default())?;
    let grown = x.shape().iter().zip(&repeats).map(|(&n, &r)| n.saturating_mul(r));
    checked_numel(&grown.collect::<Vec<_>>())?;
    Ok(vec![import.apply(Tile { repeats }, &[x])?])
}

fn gather(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    let axis = node.axis(0, x.rank())?;
    if let Some(known) = indices.known() {
        let extent = x.shape()[axis] as i64;
        let outside = known.to_i64s()?.into_iter().find(|k| !(-extent..extent).contains(k));
        if let Some(k) = outside {
            return Err(Error::shape(format!("index {k} is outside axis {axis} of {}", x.desc())));
        }
    }
    Ok(vec![import.apply(Gather { axis }, &[x, indices])?])
}

fn transpose(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let order = node.counts("perm")?.unwrap_or_else(|| (0..x.rank()).rev().collect());
    Ok(vec![import.permute(x, &order)?])
}

/// In version 18 `num_outputs` makes parts of equal size, the last of which may be smaller.
/// <https://onnx.ai/onnx/operators/onnx__Split.html>
fn split(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axis = node.axis(0, x.rank())?;
    let extent = x.shape()[axis];
    let given = node.ints_or_host("split", 1)?;
    let parts = given.as_ref().map_or(node.count("num_outputs", node.outputs())?, Vec::len);
    // Checked before a list of that length is allocated: the file may contain any number.
    if parts != node.outputs() {
        return Err(Error::shape(format!("{parts} parts for {} outputs", node.outputs())));
    }
    let sizes = match given {
        Some(sizes) => counts("split", &sizes)?,
        None => equal_parts(extent, parts, node.opset)?,
    };
    import.apply_all(Split { axis, sizes }, &[x])
}

fn equal_parts(extent: usize, parts: usize, opset: i64) -> Result<Vec<usize>> {
    let size = extent.div_ceil(parts.max(1));
    let even = parts > 0 && extent.is_multiple_of(parts);
    if parts == 0 || parts > extent.max(1) || (opset < 18 && !even) {
        return Err(Error::shape(format!("{extent} elements cannot be split into {parts} equal parts")));
    }
    Ok((0..parts).map(|k| size.min(extent.saturating_sub(k * size))).collect())
}

/// <https://onnx.ai/onnx/operators/onnx__Slice.html>
fn slice(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let required =
        |name: &str, k| node.ints_or_host(name, k)?.ok_or_else(|| Error::file(format!("Slice lacks {name}")));
    let (starts, ends) = (required("starts", 1)?, required("ends", 2)?);
    let list = node.ints_or_host("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = node.host_ints(4)?.unwrap_or(vec![1; starts.len()]);
    let axes = axes(&list, x.rank())?;
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Error::shape(format!(
            "Slice of {}: starts {starts:?}, ends {ends:?}, axes {list:?} and steps {steps:?} must be of one length",
            x.desc()
        )));
    }
    let mut op = Slice { starts: vec![0; x.rank()], steps: vec![1; x.rank()], sizes: x.shape().to_vec() };
    for (k, &axis) in axes.iter().enumerate() {
        (op.starts[axis], op.sizes[axis]) = span(x.shape()[axis], starts[k], ends[k], steps[k])?;
        op.steps[axis] = steps[k];
    }
    if op.sizes == x.shape() && op.steps.iter().all(|&s| s == 1) {
        return Ok(vec![x.clone()]);
    }
    Ok(vec![import.apply(op, &[x])?])
}

/// The first index and the number of indices of `start..end` in steps, both ends clamped to an axis of this extent.
fn span(extent: usize, start: i64, end: i64, step: i64) -> Result<(i64, usize)> {
    let n = extent as i128;
    let from_end = |k: i64| if k < 0 { i128::from(k) + n } else { i128::from(k) };
    let (low, high) = match step {
        0 => return Err(Error::argument("the step of a slice is 0")),
        1.. => (0, n),
        _ => (-1, n - 1),
    };
    let (start, end) = (from_end(start).clamp(low, high), from_end(end).clamp(low, high));
    let (distance, stride) = if step > 0 { (end - start, step.into()) } else { (start - end, -i128::from(step)) };
    let size = (distance + stride - 1).max(0) / stride;
    Ok(if size == 0 { (0, 0) } else { (start as i64, size as usize) })
}

/// <https://onnx.ai/onnx/operators/onnx__Pad.html>. Before version 11 pads and value are attributes, in version 1 of another
/// name.
fn pad(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let of_version_1 = node.ints("paddings")?;
    let list = of_version_1.or(node.ints_or_host("pads", 1)?).ok_or_else(|| Error::file("Pad lacks its pads"))?;
    let axes = match node.host_ints(3)? {
        Some(list) => axes(&list, x.rank())?,
        None => (0..x.rank()).collect(),
    };
    if list.len() != 2 * axes.len() {
        return Err(Error::shape(format!("pads {list:?} do not fit {} axes", axes.len())));
    }
    let value = match node.host(2) {
        None => node.float("value", 0.0)?.into(),
        Some(values) => constant(values)?,
    };
    let mode = match node.string("mode", "constant")? {
        "constant" => PadMode::Constant(value),
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Replicate,
        "wrap" => PadMode::Circular,
        other => return Err(Error::unsupported(format!("Pad with mode = {other}"))),
    };
    let mut pads = vec![[0, 0]; x.rank()];
    for (k, &axis) in axes.iter().enumerate() {
        pads[axis] = [list[k], list[axes.len() + k]];
    }
    if pads.iter().all(|p| *p == [0, 0]) {
        return Ok(vec![x.clone()]);
    }
    if matches!(mode, PadMode::Circular) && pads.iter().flatten().any(|&p| p < 0) {
        let x = crop(import, x, &pads)?;
        let pads = pads.iter().map(|p| p.map(|p| p.max(0))).collect();
        return Ok(vec![import.apply(Pad { pads, mode }, &[&x])?]);
    }
    Ok(vec![import.apply(Pad { pads, mode }, &[x])?])
}

/// <https://onnx.ai/onnx/operators/onnx__CenterCropPad.html>: cropped or padded to a shape, on both sides; of an odd
/// number of elements one more at the end.
fn center_crop_pad(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let shape = node.host_ints(1)?.ok_or_else(|| Error::file("CenterCropPad lacks its shape"))?;
    let axes = match node.ints("axes")? {
        Some(list) => axes(&list, x.rank())?,
        None => (0..x.rank()).collect(),
    };
    if shape.len() != axes.len() || shape.iter().any(|extent| !(0..=i64::from(u32::MAX)).contains(extent)) {
        return Err(Error::shape(format!("the shape {shape:?} does not fit {} axes of {}", axes.len(), x.desc())));
    }
    let mut pads = vec![[0, 0]; x.rank()];
    for (axis, extent) in axes.into_iter().zip(shape) {
        let more = extent - x.shape()[axis] as i64;
        pads[axis] = [more / 2, more - more / 2];
    }
    if pads.iter().all(|p| *p == [0, 0]) {
        return Ok(vec![x.clone()]);
    }
    Ok(vec![import.apply(Pad { pads, mode: PadMode::Constant(0.0) }, &[x])?])
}

/// The value that is added.
fn constant(values: &Tensor) -> Result<f64> {
    let &[value] = &values.to_f64s()[..] else {
        return Err(Error::shape(format!("Pad takes one value, not {}", values.numel())));
    };
    match values.data() {
        Data::I64(v) if i128::from(v[0]) != value as i128 => {
            Err(Error::unsupported(format!("Pad with the value {} (integers up to 2^53)", v[0])))
        }
        _ => Ok(value),
    }
}

/// What negative pads leave. What wraps around afterwards is this, as in ONNX Runtime.
fn crop(import: &mut Import, x: &Val, pads: &[[i64; 2]]) -> Result<Val> {
    let starts = pads.iter().map(|[begin, _]| begin.min(&0).saturating_neg()).collect();
    let left = |(&n, pad): (&usize, &[i64; 2])| {
        let removed = pad.iter().map(|p| p.min(&0).saturating_neg()).fold(0, i64::saturating_add);
        usize::try_from(n as i64 - removed)
    };
    let sizes = x.shape().iter().zip(pads).map(left).collect::<Result<Vec<_>, _>>();
    let sizes = sizes.map_err(|_| Error::shape(format!("pads {pads:?} leave nothing of {}", x.desc())))?;
    import.apply(Slice { starts, steps: vec![1; x.rank()], sizes }, &[x])
}

/// `start, start + delta, ..` up to but not including `limit`. <https://onnx.ai/onnx/operators/onnx__Range.html>
fn range(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let [start, limit, delta] = [node.input(0)?, node.input(1)?, node.input(2)?];
    let tensors = [start, limit, delta].map(|v| v.known().expect("the table says they are known"));
    if tensors.iter().any(|t| t.numel() != 1 || t.dtype() != tensors[0].dtype()) {
        return Err(Error::shape(format!(
            "Range takes three scalars of one type, not {}, {} and {}",
            start.desc(),
            limit.desc(),
            delta.desc()
        )));
    }
    let dtype = tensors[0].dtype();
    let [start, limit, delta] = tensors.map(|t| t.to_f64s()[0]);
    let mut steps = ((limit - start) / delta).ceil();
    let integers = tensors.map(|t| t.to_i64s().map_or(0, |v| v[0]));
    if dtype.is_integer() && delta != 0.0 {
        let [start, limit, delta] = integers.map(i128::from);
        steps = ((limit - start + delta - delta.signum()) / delta) as f64;
    }
    if delta == 0.0 || !steps.is_finite() {
        return Err(Error::argument(format!("Range from {start} to {limit} in steps of {delta} does not end")));
    }
    let n = checked_numel(&[steps.max(0.0) as usize])?;
    if !import.affords_room(n) {
        return Err(Error::unsupported(format!(
            "Range of {n} elements is too large to be computed when the network is planned"
        )));
    }
    import.affords_memory(&[n], DType::F64)?;
    let values = if dtype.is_integer() {
        Tensor::from((0..n as i64).map(|k| integers[0] + k * integers[2]).collect::<Vec<_>>())
    } else {
        Tensor::of([n], Data::F64(Arc::new((0..n).map(|k| start + k as f64 * delta).collect())))
    };
    Ok(vec![values.to_dtype(dtype).into()])
}

/// <https://onnx.ai/onnx/operators/onnx__DepthToSpace.html>
fn depth_to_space(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let op = PixelShuffle { factor: node.count("blocksize", 0)?, order: order(node)? };
    Ok(vec![import.apply(op, &[node.input(0)?])?])
}

/// <https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html>
fn space_to_depth(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let op = PixelUnshuffle { factor: node.count("blocksize", 0)?, order: order(node)? };
    Ok(vec![import.apply(op, &[node.input(0)?])?])
}

fn order(node: &NodeView) -> Result<Order> {
    match node.string("mode", "DCR")? {
        "DCR" => Ok(Order::DepthFirst),
        "CRD" => Ok(Order::ChannelFirst),
        other => Err(Error::unsupported(format!("{} with mode = {other}", node.op()))),
    }
}

#[cfg(test)]
mod tests {
    use super::{equal_parts, span};

    #[test]
    fn spans_are_clamped_at_both_ends() {
        assert_eq!(span(10, 0, i64::MAX, 1).unwrap(), (0, 10));
        assert_eq!(span(10, -3, 9, 1).unwrap(), (7, 2));
        assert_eq!(span(10, i64::MAX, i64::MIN, -3).unwrap(), (9, 4));
        assert_eq!(span(10, 3, 3, 1).unwrap(), (0, 0));
        assert_eq!(span(0, 0, -1, -1).unwrap(), (0, 0));
        assert_eq!(span(5, 4, 0, i64::MIN).unwrap(), (4, 1));
        assert!(span(5, 0, 5, 0).is_err());
    }

    #[test]
    fn the_last_part_may_be_smaller_since_version_18() {
        assert_eq!(equal_parts(7, 4, 18).unwrap(), [2, 2, 2, 1]);
        assert!(equal_parts(7, 4, 13).is_err());
        assert!(equal_parts(7, 0, 18).is_err());
        assert_eq!(equal_parts(0, 1, 18).unwrap(), [0]);
    }
}

//! Reductions over axes, and functions along one: Reduce*, ArgMax, ArgMin, CumSum, Hardmax, Softmax,
//! LogSoftmax, TopK.

use super::node_view::axes;
use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::{BinaryKind, Extreme, PadMode, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::pad::Pad;
use crate::ops::reduce::{ArgReduce, Reduce};
use crate::ops::softmax::Softmax;
use crate::ops::top_k::TopK;
use crate::shape;
use crate::tensor::Tensor;

const REDUCE: &[&str] = &["axes", "keepdims", "noop_with_empty_axes"];
const ARG: &[&str] = &["axis", "keepdims", "select_last_index"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("ArgMax", ARG, |i, n| arg_reduce(i, n, Extreme::Max)),
    Operator::new("ArgMin", ARG, |i, n| arg_reduce(i, n, Extreme::Min)),
    Operator::new("CumSum", &["exclusive", "reverse"], cumulative_sum).host(&[1]),
    Operator::new("Hardmax", &["axis"], |i, n| along_axis(i, n, hardmax)),
    Operator::new("LogSoftmax", &["axis"], |i, n| {
        along_axis(i, n, |i, x, axis| i.apply(Softmax { axis, log: true }, &[x]))
    }),
    Operator::new("ReduceL1", REDUCE, |i, n| reduce(i, n, ReduceKind::L1)).host(&[1]),
    Operator::new("ReduceL2", REDUCE, |i, n| reduce(i, n, ReduceKind::L2)).host(&[1]),
    Operator::new("ReduceLogSum", REDUCE, |i, n| reduce(i, n, ReduceKind::LogSum)).host(&[1]),
    Operator::new("ReduceLogSumExp", REDUCE, |i, n| reduce(i, n, ReduceKind::LogSumExp)).host(&[1]),
    Operator::new("ReduceMax", REDUCE, |i, n| reduce(i, n, ReduceKind::Max)).host(&[1]),
    Operator::new("ReduceMean", REDUCE, |i, n| reduce(i, n, ReduceKind::Mean)).host(&[1]),
    Operator::new("ReduceMin", REDUCE, |i, n| reduce(i, n, ReduceKind::Min)).host(&[1]),
    Operator::new("ReduceProd", REDUCE, |i, n| reduce(i, n, ReduceKind::Prod)).host(&[1]),
    Operator::new("ReduceSum", REDUCE, |i, n| reduce(i, n, ReduceKind::Sum)).host(&[1]),
    Operator::new("ReduceSumSquare", REDUCE, |i, n| reduce(i, n, ReduceKind::SumSquare)).host(&[1]),
    Operator::new("Softmax", &["axis"], softmax),
    Operator::new("TopK", &["axis", "k", "largest", "sorted"], top_k).host(&[1]),
];

/// Without axes, all axes or none are reduced. <https://onnx.ai/onnx/operators/onnx__ReduceSum.html>
fn reduce(import: &mut Import, node: &NodeView, kind: ReduceKind) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axes = match node.ints_or_host("axes", 1)?.filter(|list| !list.is_empty()) {
        Some(list) => axes(&list, x.rank())?,
        None if node.flag("noop_with_empty_axes", false)? => vec![],
        None => (0..x.rank()).collect(),
    };
    let op = Reduce { axes, keep_dims: node.flag("keepdims", true)?, kind };
    Ok(vec![import.apply(op, &[x])?])
}

fn arg_reduce(import: &mut Import, node: &NodeView, kind: Extreme) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let op = ArgReduce {
        axis: node.axis(0, x.rank())?,
        keep_dims: node.flag("keepdims", true)?,
        select_last: node.flag("select_last_index", false)?,
        kind,
    };
    Ok(vec![import.apply(op, &[x])?])
}

/// The attribute `k` became an input in version 10. The values are always sorted.
/// <https://onnx.ai/onnx/operators/onnx__TopK.html>
fn top_k(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let k = match node.host_ints(1)?.as_deref() {
        None => node.int("k", 0)?,
        Some(&[k]) => k,
        Some(list) => return Err(Error::shape(format!("TopK takes one k, not {}", list.len()))),
    };
    let k = usize::try_from(k).map_err(|_| Error::argument(format!("TopK with k = {k}")))?;
    let op = TopK { axis: node.axis(-1, x.rank())?, k, smallest: !node.flag("largest", true)? };
    import.apply_all(op, &[x])
}

pub(super) fn softmax(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    along_axis(import, node, |import, x, axis| import.apply(Softmax { axis, log: false }, &[x]))
}

/// A function along one axis; before version 13 along that axis and all after it, flattened.
/// <https://onnx.ai/onnx/operators/onnx__Softmax.html>
fn along_axis(
    import: &mut Import,
    node: &NodeView,
    f: impl FnOnce(&mut Import, &Val, usize) -> Result<Val>,
) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axis = node.axis(if node.opset >= 13 { -1 } else { 1 }, x.rank())?;
    if node.opset >= 13 || x.shape()[axis + 1..].iter().all(|&n| n == 1) {
        return Ok(vec![f(import, x, axis)?]);
    }
    let (rows, columns) = x.shape().split_at(axis);
    let flat = import.reshape(x, &[rows.iter().product(), columns.iter().product()])?;
    let y = f(import, &flat, 1)?;
    Ok(vec![import.reshape(&y, x.shape())?])
}

/// 1 at the first of the largest, else 0. <https://onnx.ai/onnx/operators/onnx__Hardmax.html>
fn hardmax(import: &mut Import, x: &Val, axis: usize) -> Result<Val> {
    let op = ArgReduce { axis, keep_dims: false, select_last: false, kind: Extreme::Max };
    let index = import.apply(op, &[x])?;
    import.one_hot(&index, x.shape()[axis], axis, &Tensor::scalar(1.0).into(), &Tensor::scalar(0.0).into())
}

/// Sums of every element and those before it, in log2 n steps: after step k an element is the sum of the 2^k elements
/// up to it. <https://onnx.ai/onnx/operators/onnx__CumSum.html>
fn cumulative_sum(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let Some(&[axis]) = node.host_ints(1)?.as_deref() else {
        return Err(Error::shape("CumSum takes one axis as its input 1"));
    };
    let axis = shape::axis(axis, x.rank())?;
    let reverse = node.flag("reverse", false)?;
    let shifted = |import: &mut Import, y: &Val, by: usize| {
        let by = by as i64;
        let mut pads = vec![[0, 0]; x.rank()];
        pads[axis] = if reverse { [-by, by] } else { [by, -by] };
        import.apply(Pad { pads, mode: PadMode::Constant(0.0) }, &[y])
    };
    let mut y = x.clone();
    let mut reach = 1;
    while reach < x.shape()[axis] {
        let earlier = shifted(import, &y, reach)?;
        y = import.binary(BinaryKind::Add, &y, &earlier)?;
        reach *= 2;
    }
    Ok(vec![if node.flag("exclusive", false)? { shifted(import, &y, 1)? } else { y }])
}

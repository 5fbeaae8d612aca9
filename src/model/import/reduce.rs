//! Reductions over axes, and functions along one: Reduce*, ArgMax, ArgMin, Softmax, LogSoftmax.

use super::node_view::axes;
use super::operators::Operator;
use super::{Import, NodeView, Val};
use crate::error::Result;
use crate::ops::reduce::{ArgReduce, Extreme, Kind, Reduce};
use crate::ops::softmax::Softmax;

const REDUCE: &[&str] = &["axes", "keepdims", "noop_with_empty_axes"];
const ARG: &[&str] = &["axis", "keepdims", "select_last_index"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("ArgMax", ARG, |i, n| arg_reduce(i, n, Extreme::Max)),
    Operator::new("ArgMin", ARG, |i, n| arg_reduce(i, n, Extreme::Min)),
    Operator::new("LogSoftmax", &["axis"], |i, n| softmax(i, n, true)),
    Operator::new("ReduceL1", REDUCE, |i, n| reduce(i, n, Kind::L1)).host(&[1]),
    Operator::new("ReduceL2", REDUCE, |i, n| reduce(i, n, Kind::L2)).host(&[1]),
    Operator::new("ReduceLogSum", REDUCE, |i, n| reduce(i, n, Kind::LogSum)).host(&[1]),
    Operator::new("ReduceLogSumExp", REDUCE, |i, n| reduce(i, n, Kind::LogSumExp)).host(&[1]),
    Operator::new("ReduceMax", REDUCE, |i, n| reduce(i, n, Kind::Max)).host(&[1]),
    Operator::new("ReduceMean", REDUCE, |i, n| reduce(i, n, Kind::Mean)).host(&[1]),
    Operator::new("ReduceMin", REDUCE, |i, n| reduce(i, n, Kind::Min)).host(&[1]),
    Operator::new("ReduceProd", REDUCE, |i, n| reduce(i, n, Kind::Prod)).host(&[1]),
    Operator::new("ReduceSum", REDUCE, |i, n| reduce(i, n, Kind::Sum)).host(&[1]),
    Operator::new("ReduceSumSquare", REDUCE, |i, n| reduce(i, n, Kind::SumSquare)).host(&[1]),
    Operator::new("Softmax", &["axis"], |i, n| softmax(i, n, false)),
];

/// Without axes all are reduced, or none. <https://onnx.ai/onnx/operators/onnx__ReduceSum.html>
fn reduce(import: &mut Import, node: &NodeView, kind: Kind) -> Result<Vec<Val>> {
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

/// Along one axis; before version 13 along that axis and all behind it, taken as one.
/// <https://onnx.ai/onnx/operators/onnx__Softmax.html>
fn softmax(import: &mut Import, node: &NodeView, log: bool) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    if node.opset >= 13 {
        let axis = node.axis(-1, x.rank())?;
        return Ok(vec![import.apply(Softmax { axis, log }, &[x])?]);
    }
    let axis = node.axis(1, x.rank())?;
    if x.shape()[axis + 1..].iter().all(|&n| n == 1) {
        return Ok(vec![import.apply(Softmax { axis, log }, &[x])?]);
    }
    let (rows, columns) = x.shape().split_at(axis);
    let flat = import.reshape(x, &[rows.iter().product(), columns.iter().product()])?;
    let y = import.apply(Softmax { axis: 1, log }, &[&flat])?;
    Ok(vec![import.reshape(&y, x.shape())?])
}

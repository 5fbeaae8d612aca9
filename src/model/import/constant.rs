//! Constant, Shape, Size, Identity, Dropout: values that cost nothing at run time.

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Constant", &["value", "value_float", "value_floats", "value_int", "value_ints"], constant),
    Operator::new("Dropout", &["is_test", "ratio", "seed"], dropout).host(&[1, 2]),
    Operator::new("Identity", &[], identity),
    Operator::new("Shape", &["start", "end"], shape),
    Operator::new("Size", &[], size),
];

/// <https://onnx.ai/onnx/operators/onnx__Constant.html>
pub(crate) fn value(node: &NodeView) -> Result<Tensor> {
    if let Some(tensor) = node.tensor("value")? {
        return Ok(tensor);
    }
    if let Some(list) = node.floats("value_floats")? {
        return Tensor::new([list.len()], list);
    }
    if let Some(list) = node.ints("value_ints")? {
        return Tensor::new([list.len()], list);
    }
    match (node.has("value_float"), node.has("value_int")) {
        (true, _) => Ok(Tensor::scalar(node.float("value_float", 0.0)?)),
        (_, true) => Tensor::new([], vec![node.int("value_int", 0)?]),
        _ => Err(Error::file("a Constant node has no value")),
    }
}

fn constant(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let value = value(node)?;
    if node.has_nibbles("value") {
        import.has_nibbles(&value);
    }
    Ok(vec![value.into()])
}

fn identity(_: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    Ok(vec![node.input(0)?.clone()])
}

/// The input and a mask of ones. Training mode is random and is refused, unless nothing is dropped.
/// <https://onnx.ai/onnx/operators/onnx__Dropout.html>
fn dropout(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let number = |k: usize, none: f64| node.host(k).map_or(none, |t| t.to_f64s().first().copied().unwrap_or(none));
    if node.opset >= 12 && number(2, 0.0) != 0.0 && number(1, 0.5) != 0.0 {
        return Err(Error::unsupported("Dropout in training mode, which is random"));
    }
    if !node.gives(1) {
        return Ok(vec![x.clone()]);
    }
    let one = if node.opset >= 10 { Tensor::of([], vec![true]) } else { Tensor::scalar(1.0) };
    let mask = import.expand(&one.into(), x.shape())?;
    Ok(vec![x.clone(), mask])
}

/// <https://onnx.ai/onnx/operators/onnx__Shape.html>
fn shape(_: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let shape = node.input(0)?.shape();
    let rank = shape.len() as i64;
    let at = |k: i64| (if k < 0 { k.saturating_add(rank) } else { k }).clamp(0, rank) as usize;
    let (start, end) = (at(node.int("start", 0)?), at(node.int("end", rank)?));
    let extents: Vec<i64> = shape.iter().take(end).skip(start).map(|&n| n as i64).collect();
    Ok(vec![Tensor::of([extents.len()], extents).into()])
}

fn size(_: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let n: usize = node.input(0)?.shape().iter().product();
    Ok(vec![Tensor::of([], vec![n as i64]).into()])
}

//! Element-wise functions of two and more tensors: sums, products, comparisons, limits, choice, conversion.

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::{Activation, BinaryKind};
use crate::error::{Error, Result};
use crate::model::proto::data_type as ty;
use crate::model::tensor_proto;
use crate::ops::binary::Binary;
use crate::ops::cast::Cast;
use crate::ops::prelu::Prelu;
use crate::ops::select::Where;
use crate::ops::unary::Unary;
use crate::shape::DType;
use crate::tensor::Tensor;

/// The attributes of version 6 that align the second tensor with the first.
const BROADCAST: &[&str] = &["axis", "broadcast"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Add", BROADCAST, |i, n| two(i, n, BinaryKind::Add)),
    Operator::new("And", BROADCAST, |i, n| logical(i, n, BinaryKind::And)),
    Operator::new("BitShift", &["direction"], shift),
    Operator::new("BitwiseAnd", &[], |i, n| bitwise(i, n, BinaryKind::And)),
    Operator::new("BitwiseNot", &[], bitwise_not),
    Operator::new("BitwiseOr", &[], |i, n| bitwise(i, n, BinaryKind::Or)),
    Operator::new("BitwiseXor", &[], |i, n| bitwise(i, n, BinaryKind::Xor)),
    Operator::new("Cast", &["round_mode", "saturate", "to"], cast),
    Operator::new("CastLike", &["round_mode", "saturate"], cast_like),
    Operator::new("Clip", &["max", "min"], clip),
    Operator::new("Div", BROADCAST, |i, n| two(i, n, BinaryKind::Div)),
    Operator::new("Equal", BROADCAST, |i, n| two(i, n, BinaryKind::Equal)),
    Operator::new("Greater", BROADCAST, |i, n| two(i, n, BinaryKind::Greater)),
    Operator::new("GreaterOrEqual", &[], |i, n| two(i, n, BinaryKind::GreaterOrEqual)),
    Operator::new("IsInf", &["detect_negative", "detect_positive"], is_infinite),
    Operator::new("IsNaN", &[], is_nan),
    Operator::new("Less", BROADCAST, |i, n| two(i, n, BinaryKind::Less)),
    Operator::new("LessOrEqual", &[], |i, n| two(i, n, BinaryKind::LessOrEqual)),
    Operator::new("Max", &[], |i, n| fold(i, n, BinaryKind::Maximum)),
    Operator::new("Mean", &[], mean),
    Operator::new("Min", &[], |i, n| fold(i, n, BinaryKind::Minimum)),
    Operator::new("Mod", &["fmod"], modulo),
    Operator::new("Mul", BROADCAST, |i, n| two(i, n, BinaryKind::Mul)),
    Operator::new("Not", &[], not),
    Operator::new("Or", BROADCAST, |i, n| logical(i, n, BinaryKind::Or)),
    Operator::new("Pow", BROADCAST, pow),
    Operator::new("PRelu", &[], prelu),
    Operator::new("Sub", BROADCAST, |i, n| two(i, n, BinaryKind::Sub)),
    Operator::new("Sum", &[], |i, n| fold(i, n, BinaryKind::Add)),
    Operator::new("Where", &[], choose),
    Operator::new("Xor", BROADCAST, |i, n| logical(i, n, BinaryKind::Xor)),
];

impl Import<'_> {
    /// `f(a, b)`, broadcast.
    pub fn binary(&mut self, f: BinaryKind, a: &Val, b: &Val) -> Result<Val> {
        // Numbers that the importer itself brings are f32.
        let (a, b) = match (a.dtype(), b.dtype()) {
            (to, DType::F32) if to != DType::F32 && b.known_scalar().is_some() => (a.clone(), self.cast(b, to)?),
            (DType::F32, to) if to != DType::F32 && a.known_scalar().is_some() => (self.cast(a, to)?, b.clone()),
            _ => (a.clone(), b.clone()),
        };
        self.apply(Binary(f), &[&a, &b])
    }

    /// The logical negation.
    fn negation(&mut self, x: &Val) -> Result<Val> {
        self.binary(BinaryKind::Equal, x, &Tensor::of([], vec![false]).into())
    }

    /// The same numbers as another type.
    pub fn cast(&mut self, x: &Val, to: DType) -> Result<Val> {
        if x.dtype() == to { Ok(x.clone()) } else { self.apply(Cast { to }, &[x]) }
    }
}

fn two(import: &mut Import, node: &NodeView, f: BinaryKind) -> Result<Vec<Val>> {
    let (a, b) = operands(import, node)?;
    Ok(vec![import.binary(f, &a, &b)?])
}

/// A function of booleans.
fn logical(import: &mut Import, node: &NodeView, f: BinaryKind) -> Result<Vec<Val>> {
    match node.inputs()?.iter().find(|x| x.dtype() != DType::Bool) {
        Some(x) => Err(Error::unsupported(format!("{} of {}", node.op(), x.desc()))),
        None => two(import, node, f),
    }
}

/// A function of the bits of integers. A u64 is below 2^63 here, so that its highest bit is 0 as that of the i64 that holds it, and
/// the same is true of the result. <https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html>
fn bitwise(import: &mut Import, node: &NodeView, f: BinaryKind) -> Result<Vec<Val>> {
    integers(node)?;
    two(import, node, f)
}

/// An error unless the node has integers.
fn integers(node: &NodeView) -> Result<()> {
    match node.inputs()?.iter().find(|x| !x.dtype().is_integer()) {
        Some(x) => Err(Error::unsupported(format!("{} of {}: it takes integers", node.op(), x.desc()))),
        None => Ok(()),
    }
}

/// All bits are the other ones: exclusive or with -1. Of a u64 that is above 2^63, and no i64.
/// <https://onnx.ai/onnx/operators/onnx__BitwiseNot.html>
fn bitwise_not(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    integers(node)?;
    let x = node.input(0)?;
    if x.dtype() == DType::I64 && import.has_u64 {
        let text = format!("BitwiseNot of {} in a file with u64, which is held as i64: it may be one", x.desc());
        return Err(Error::unsupported(text));
    }
    let ones = Tensor::scalar(-1i64).to_dtype(x.dtype());
    Ok(vec![import.binary(BinaryKind::Xor, x, &ones.into())?])
}

/// Bits beyond the type are lost, and zeros come in. <https://onnx.ai/onnx/operators/onnx__BitShift.html>
fn shift(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    integers(node)?;
    match node.string("direction", "")? {
        "LEFT" => two(import, node, BinaryKind::ShiftLeft),
        "RIGHT" => two(import, node, BinaryKind::ShiftRight),
        other => Err(Error::unsupported(format!("BitShift with direction = {other:?}"))),
    }
}

/// Both inputs. In version 6 the attribute `axis` aligns the second tensor with axes of the first.
fn operands(import: &mut Import, node: &NodeView) -> Result<(Val, Val)> {
    let (a, b) = (node.input(0)?.clone(), node.input(1)?.clone());
    if node.opset >= 7 || !node.has("axis") {
        return Ok((a, b));
    }
    let axis = node.axis(0, a.rank())?;
    let Some(behind) = a.rank().checked_sub(axis + b.rank()) else {
        return Err(Error::shape(format!("{} does not fit axis {axis} of {}", b.desc(), a.desc())));
    };
    let shape = [b.shape(), &vec![1; behind]].concat();
    let b = import.reshape(&b, &shape)?;
    Ok((a, b))
}

/// Folds the function over all inputs.
fn fold(import: &mut Import, node: &NodeView, f: BinaryKind) -> Result<Vec<Val>> {
    let inputs = node.inputs()?;
    let mut out = inputs[0].clone();
    for x in &inputs[1..] {
        out = import.binary(f, &out, x)?;
    }
    Ok(vec![out])
}

fn mean(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let sum = fold(import, node, BinaryKind::Add)?.swap_remove(0);
    let n = node.inputs()?.len();
    Ok(vec![if n == 1 { sum } else { import.binary(BinaryKind::Div, &sum, &Tensor::scalar(n as f32).into())? }])
}

fn modulo(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let f = if node.flag("fmod", false)? { BinaryKind::Fmod } else { BinaryKind::Mod };
    two(import, node, f)
}

fn not(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    Ok(vec![import.negation(node.input(0)?)?])
}

/// A NaN is the only value that does not equal itself.
fn is_nan(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let number = import.binary(BinaryKind::Equal, x, x)?;
    Ok(vec![import.negation(&number)?])
}

/// <https://onnx.ai/onnx/operators/onnx__IsInf.html>
fn is_infinite(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let mut is = |which: &str, infinity: f32| match node.flag(which, true)? {
        true => import.binary(BinaryKind::Equal, x, &Tensor::scalar(infinity).into()).map(Some),
        false => Ok(None),
    };
    let (above, below) = (is("detect_positive", f32::INFINITY)?, is("detect_negative", f32::NEG_INFINITY)?);
    Ok(vec![match (above, below) {
        (Some(above), Some(below)) => import.binary(BinaryKind::Or, &above, &below)?,
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => import.expand(&Tensor::of([], vec![false]).into(), x.shape())?,
    }])
}

/// The result has the type of the base; an integer with a float exponent is computed in f32. There a power that is a
/// whole number may come out just below it, and the conversion to an integer cuts off the fraction.
/// <https://onnx.ai/onnx/operators/onnx__Pow.html>
fn pow(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (base, exponent) = operands(import, node)?;
    let dtype = match (base.dtype(), exponent.dtype()) {
        (DType::F64, _) | (_, DType::F64) => DType::F64,
        (_, DType::F32) => DType::F32,
        (base, _) => base,
    };
    let (x, e) = (import.cast(&base, dtype)?, import.cast(&exponent, dtype)?);
    let mut y = import.binary(BinaryKind::Pow, &x, &e)?;
    if base.dtype().is_integer() && dtype.is_float() {
        let floor = import.apply(Unary(Activation::Floor), &[&e])?;
        let is_whole = import.binary(BinaryKind::Equal, &e, &floor)?;
        let rounded = import.apply(Unary(Activation::Round), &[&y])?;
        y = import.apply(Where, &[&is_whole, &rounded, &y])?;
    }
    Ok(vec![import.cast(&y, base.dtype())?])
}

/// <https://onnx.ai/onnx/operators/onnx__Clip.html>: first the lower limit, then the upper. Before version 11 the
/// limits are attributes.
fn clip(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let limit = |k: usize, name: &str| match node.optional(k) {
        Some(limit) => Ok(Some(limit.clone())),
        None if node.has(name) => Ok(Some(Tensor::scalar(node.float(name, 0.0)?).into())),
        None => Ok::<_, Error>(None),
    };
    let (low, high) = (limit(1, "min")?, limit(2, "max")?);
    let number = |limit: &Option<Val>, none: f32| limit.as_ref().map_or(Some(none), Val::known_scalar);
    let numbers = (number(&low, f32::NEG_INFINITY), number(&high, f32::INFINITY));
    if let ((Some(min), Some(max)), DType::F32) = (numbers, x.dtype()) {
        return Ok(vec![import.apply(Unary(Activation::Clamp { min, max }), &[x])?]);
    }
    let mut y = x.clone();
    if let Some(low) = low {
        y = import.binary(BinaryKind::Maximum, &y, &low)?;
    }
    if let Some(high) = high {
        y = import.binary(BinaryKind::Minimum, &y, &high)?;
    }
    Ok(vec![y])
}

/// The slope is broadcast from the right, in version 6 along axis 1. Slopes per channel become one axis, however they
/// are written. <https://onnx.ai/onnx/operators/onnx__PRelu.html>
fn prelu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, slope) = (node.input(0)?, node.input(1)?);
    let along_channels = node.opset < 7 && slope.rank() == 1;
    let Some(missing) = x.rank().checked_sub(slope.rank()) else {
        return Err(Error::shape(format!("the slope {} does not broadcast to {}", slope.desc(), x.desc())));
    };
    let aligned = [&vec![1; missing], slope.shape()].concat();
    let only_channels = aligned.iter().enumerate().all(|(k, &n)| k == 1 || n == 1);
    let shape = if along_channels || only_channels { vec![slope.shape().iter().product()] } else { aligned };
    let slope = import.reshape(slope, &shape)?;
    Ok(vec![import.apply(Prelu, &[x, &slope])?])
}

fn choose(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    Ok(vec![import.apply(Where, &[node.input(0)?, node.input(1)?, node.input(2)?])?])
}

/// <https://onnx.ai/onnx/operators/onnx__Cast.html>
fn cast(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    // Before version 6 a type is given by its name.
    let to = if node.opset < 6 {
        tensor_proto::named(node.string("to", "")?)
    } else {
        i32::try_from(node.int("to", 0)?).unwrap_or(0)
    };
    let unsigned = |t: &Tensor| t.to_i64s().is_ok_and(|v| v.iter().all(|&v| v >= 0));
    let signed = matches!(x.dtype(), DType::I8 | DType::I16 | DType::I32 | DType::I64);
    if to == ty::UINT64 && signed && !x.known().is_some_and(unsigned) {
        let text = format!("Cast of {} that may be negative to u64 (held as i64)", x.desc());
        return Err(Error::unsupported(text));
    }
    Ok(vec![import.cast(x, tensor_proto::dtype(to)?)?])
}

/// <https://onnx.ai/onnx/operators/onnx__CastLike.html>
fn cast_like(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let to = import.declared_type(node.input_name(1)).unwrap_or(node.input(1)?.dtype());
    Ok(vec![import.cast(node.input(0)?, to)?])
}

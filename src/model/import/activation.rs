//! Element-wise functions of one tensor.

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::{Activation, BinaryKind, Trigonometric};
use crate::error::{Error, Result};
use crate::graph::integers;
use crate::ops::select::Where;
use crate::ops::sine::Sine;
use crate::ops::trigonometry::Trigonometry;
use crate::ops::unary::Unary;
use crate::tensor::Tensor;

/// A threshold of infinity: ONNX's softplus has none.
const NO_THRESHOLD: f32 = f32::INFINITY;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Abs", &[], |i, n| of_any(i, n, Activation::Abs)),
    Operator::new("Acos", &[], |i, n| trigonometric(i, n, Trigonometric::Acos)),
    Operator::new("Acosh", &[], |i, n| trigonometric(i, n, Trigonometric::Acosh)),
    Operator::new("Asin", &[], |i, n| trigonometric(i, n, Trigonometric::Asin)),
    Operator::new("Asinh", &[], |i, n| trigonometric(i, n, Trigonometric::Asinh)),
    Operator::new("Atan", &[], |i, n| trigonometric(i, n, Trigonometric::Atan)),
    Operator::new("Atanh", &[], |i, n| trigonometric(i, n, Trigonometric::Atanh)),
    Operator::new("Ceil", &[], |i, n| unary(i, n, Activation::Ceil)),
    Operator::new("Celu", &["alpha"], |i, n| unary(i, n, Activation::Celu { alpha: n.float("alpha", 1.0)? })),
    Operator::new("Cos", &[], |i, n| sine(i, n, true)),
    Operator::new("Cosh", &[], |i, n| trigonometric(i, n, Trigonometric::Cosh)),
    Operator::new("Elu", &["alpha"], |i, n| unary(i, n, Activation::Elu { alpha: n.float("alpha", 1.0)? })),
    Operator::new("Erf", &[], |i, n| unary(i, n, Activation::Erf)),
    Operator::new("Exp", &[], |i, n| unary(i, n, Activation::Exp)),
    Operator::new("Floor", &[], |i, n| unary(i, n, Activation::Floor)),
    Operator::new("Gelu", &["approximate"], gelu),
    Operator::new("HardSigmoid", &["alpha", "beta"], hard_sigmoid),
    Operator::new("HardSwish", &[], |i, n| unary(i, n, Activation::HardSwish)),
    Operator::new("LeakyRelu", &["alpha"], leaky_relu),
    Operator::new("Log", &[], |i, n| unary(i, n, Activation::Log)),
    Operator::new("Mish", &[], |i, n| unary(i, n, Activation::Mish)),
    Operator::new("Neg", &[], |i, n| of_any(i, n, Activation::Neg)),
    Operator::new("Reciprocal", &[], |i, n| unary(i, n, Activation::Reciprocal)),
    Operator::new("Relu", &[], |i, n| of_any(i, n, Activation::Relu)),
    Operator::new("Round", &[], |i, n| unary(i, n, Activation::Round)),
    Operator::new("Selu", &["alpha", "gamma"], selu),
    Operator::new("Shrink", &["bias", "lambd"], shrink),
    Operator::new("Sigmoid", &[], sigmoid),
    Operator::new("Sign", &[], |i, n| of_any(i, n, Activation::Sign)),
    Operator::new("Sin", &[], |i, n| sine(i, n, false)),
    Operator::new("Sinh", &[], |i, n| trigonometric(i, n, Trigonometric::Sinh)),
    Operator::new("Softplus", &[], softplus),
    Operator::new("Softsign", &[], |i, n| unary(i, n, Activation::Softsign)),
    Operator::new("Sqrt", &[], |i, n| unary(i, n, Activation::Sqrt)),
    Operator::new("Swish", &["alpha"], |i, n| unary(i, n, Activation::Swish { beta: n.float("alpha", 1.0)? })),
    Operator::new("Tan", &[], |i, n| trigonometric(i, n, Trigonometric::Tan)),
    Operator::new("Tanh", &[], |i, n| unary(i, n, Activation::Tanh)),
    Operator::new("ThresholdedRelu", &["alpha"], thresholded_relu),
];

fn unary(import: &mut Import, node: &NodeView, f: Activation) -> Result<Vec<Val>> {
    Ok(vec![import.apply(Unary(f), &[node.input(0)?])?])
}

fn sine(import: &mut Import, node: &NodeView, cosine: bool) -> Result<Vec<Val>> {
    Ok(vec![import.apply(Sine { cosine }, &[node.input(0)?])?])
}

fn trigonometric(import: &mut Import, node: &NodeView, f: Trigonometric) -> Result<Vec<Val>> {
    Ok(vec![import.apply(Trigonometry(f), &[node.input(0)?])?])
}

/// A function that integers have, too.
fn of_any(import: &mut Import, node: &NodeView, f: Activation) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    if x.dtype().is_integer()
        && let Some(y) = integers::function(import, x, x.dtype(), f)?
    {
        return Ok(vec![y]);
    }
    unary(import, node, f)
}

fn gelu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let f = match node.string("approximate", "none")? {
        "none" => Activation::Gelu,
        "tanh" => Activation::GeluTanh,
        other => return Err(Error::unsupported(format!("Gelu with approximate = {other}"))),
    };
    unary(import, node, f)
}

fn hard_sigmoid(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let f = Activation::HardSigmoid { alpha: node.float("alpha", 0.2)?.into(), beta: node.float("beta", 0.5)?.into() };
    unary(import, node, f)
}

pub(super) fn leaky_relu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    unary(import, node, Activation::LeakyRelu { slope: node.float("alpha", 0.01)? })
}

pub(super) fn sigmoid(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    unary(import, node, Activation::Sigmoid)
}

fn selu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (alpha, gamma) = (node.float("alpha", 1.673_263_2)?, node.float("gamma", 1.050_701)?);
    unary(import, node, Activation::Selu { alpha, gamma })
}

/// <https://onnx.ai/onnx/operators/onnx__Shrink.html>
fn shrink(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let (bias, limit) = (node.float("bias", 0.0)?, node.float("lambd", 0.5)?);
    let mut number = |v: f32| import.cast(&Tensor::scalar(v).into(), x.dtype());
    let (bias, low, high, zero) = (number(bias)?, number(-limit)?, number(limit)?, number(0.0)?);
    let (below, above) = (import.binary(BinaryKind::Less, x, &low)?, import.binary(BinaryKind::Greater, x, &high)?);
    let (raised, lowered) = (import.binary(BinaryKind::Add, x, &bias)?, import.binary(BinaryKind::Sub, x, &bias)?);
    let y = import.apply(Where, &[&below, &raised, &zero])?;
    Ok(vec![import.apply(Where, &[&above, &lowered, &y])?])
}

fn softplus(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    unary(import, node, Activation::Softplus { beta: 1.0, threshold: NO_THRESHOLD })
}

fn thresholded_relu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    unary(import, node, Activation::ThresholdedRelu { alpha: node.float("alpha", 1.0)? })
}

//! Gemm, MatMul and Det. With constant weights they become convolutions of 1x1 images, which have the fast kernels.

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::BinaryKind;
use crate::error::{Error, Result};
use crate::ops::conv2d::Conv2d;
use crate::ops::det::Det;
use crate::ops::matmul::MatMul;
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Det", &[], |import, node| Ok(vec![import.apply(Det, &[node.input(0)?])?])),
    Operator::new("Gemm", &["alpha", "beta", "broadcast", "transA", "transB"], gemm),
    Operator::new("MatMul", &[], matmul),
];

/// `alpha A' B' + beta C`, where `'` transposes as the attributes say
/// (<https://onnx.ai/onnx/operators/onnx__Gemm.html>).
pub(super) fn gemm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (a, b) = (node.input(0)?, node.input(1)?);
    if a.rank() != 2 || b.rank() != 2 {
        return Err(Error::shape(format!("Gemm of {} and {}: both must be matrices", a.desc(), b.desc())));
    }
    let a = if node.flag("transA", false)? { import.permute(a, &[1, 0])? } else { a.clone() };
    let b = import.scale(b, node.float("alpha", 1.0)?)?;
    let transposed = node.flag("transB", false)?;
    // As in BLAS, a beta of 0 does not read C, which may hold NaNs.
    let beta = node.float("beta", 1.0)?;
    let c = node.optional(2).filter(|_| beta != 0.0).map(|c| import.scale(c, beta)).transpose()?;
    if !is_layer(&a, &b, transposed) || !a.dtype().is_float() {
        let b = if transposed { import.permute(&b, &[1, 0])? } else { b };
        let y = import.apply(MatMul, &[&a, &b])?;
        return Ok(vec![import.add_c(y, c.as_ref())?]);
    }
    let weight = if transposed { b } else { import.permute(&b, &[1, 0])? };
    let per_column = |c: &&Val| c.known().is_some() && matches!(c.shape(), [] | [_] | [1, _]);
    if let Some(c) = c.as_ref().filter(per_column) {
        let columns = weight.shape()[0];
        let row = import.expand(c, &[1, columns])?;
        let bias = import.reshape(&row, &[columns])?;
        return Ok(vec![import.linear(&a, &weight, Some(&bias))?]);
    }
    let y = import.linear(&a, &weight, None)?;
    Ok(vec![import.add_c(y, c.as_ref())?])
}

/// <https://onnx.ai/onnx/operators/onnx__MatMul.html>
fn matmul(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    Ok(vec![import.product(node.input(0)?, node.input(1)?)?])
}

/// Whether `a b` is a linear layer: `b` a known matrix, `a` computed rows of its height.
fn is_layer(a: &Val, b: &Val, transposed: bool) -> bool {
    let (Some(&k), &[height, width]) = (a.shape().last(), b.shape()) else { return false };
    let fits = a.rank() >= 2 && k == if transposed { width } else { height } && height * width > 0;
    fits && b.known().is_some() && a.known().is_none()
}

impl Import<'_> {
    /// The product of matrices, or of batches of them.
    pub fn product(&mut self, a: &Val, b: &Val) -> Result<Val> {
        if !a.dtype().is_float() || !is_layer(a, b, false) {
            return self.apply(MatMul, &[a, b]);
        }
        let weight = self.permute(b, &[1, 0])?;
        self.linear(a, &weight, None)
    }

    /// `[.., k]` by a weight `[n, k]` plus a bias `[n]`.
    pub fn layer(&mut self, x: &Val, weight: &Val, bias: Option<&Val>) -> Result<Val> {
        if is_layer(x, weight, true) && x.dtype().is_float() {
            return self.linear(x, weight, bias);
        }
        let columns = self.permute(weight, &[1, 0])?;
        let y = self.product(x, &columns)?;
        self.add_c(y, bias)
    }

    /// `[.., k]` by a weight `[n, k]` plus a bias `[n]`: a convolution of 1x1 images.
    fn linear(&mut self, x: &Val, weight: &Val, bias: Option<&Val>) -> Result<Val> {
        let (&[n, k], [lead @ .., _]) = (weight.shape(), x.shape()) else { unreachable!("it is a linear layer") };
        let image = self.reshape(x, &[lead.iter().product(), k, 1, 1])?;
        let weight = self.reshape(weight, &[n, k, 1, 1])?;
        let inputs: Vec<&Val> = [&image, &weight].into_iter().chain(bias).collect();
        let y = self.apply(Conv2d::default(), &inputs)?;
        self.reshape(&y, &[lead, &[n]].concat())
    }

    /// `y + c`, `c` broadcast to the shape of `y`.
    fn add_c(&mut self, y: Val, c: Option<&Val>) -> Result<Val> {
        let Some(c) = c else { return Ok(y) };
        let sum = self.binary(BinaryKind::Add, &y, c)?;
        if sum.shape() != y.shape() {
            return Err(Error::shape(format!("C {} does not broadcast to {:?}", c.desc(), y.shape())));
        }
        Ok(sum)
    }

    /// `x` times a number.
    pub fn scale(&mut self, x: &Val, factor: f32) -> Result<Val> {
        if factor == 1.0 { Ok(x.clone()) } else { self.binary(BinaryKind::Mul, x, &Tensor::scalar(factor).into()) }
    }
}

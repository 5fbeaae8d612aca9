//! Operators between quantised tensors: QLinearConv, QLinearMatMul and those of `com.microsoft`; and products of integers,
//! ConvInteger and MatMulInteger, which are exact.

use super::conv::ATTRIBUTES as CONV;
use super::operator::{Handler, MICROSOFT, Operator};
use super::pool::{average_pool, global_average_pool};
use super::quantize::{Quantization, Sharing, broadcast, check_zero, is_zero};
use super::{Import, NodeView, Val, activation, reduce};
use crate::attr::{Activation, BinaryKind, PadMode};
use crate::error::{Error, Result};
use crate::ops::concat::Concat;
use crate::ops::pad::Pad;
use crate::ops::unary::Unary;
use crate::shape::DType;
use crate::tensor::Tensor;

/// Integers up to this number are exact in f32.
const EXACT: f64 = 16_777_216.0;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("ConvInteger", CONV, conv_integer),
    Operator::new("MatMulInteger", &[], matmul_integer),
    Operator::new("QLinearConv", CONV, conv),
    Operator::new("QLinearMatMul", &[], matmul),
    Operator::new("QLinearConv", CONV_LAYOUT, conv).of(MICROSOFT),
    Operator::new("QGemm", &["alpha", "transA", "transB"], gemm).of(MICROSOFT),
    Operator::new("QLinearAdd", &[], |i, n| two(i, n, BinaryKind::Add)).of(MICROSOFT),
    Operator::new("QLinearMul", &[], |i, n| two(i, n, BinaryKind::Mul)).of(MICROSOFT),
    Operator::new("QLinearConcat", &["axis"], concat).of(MICROSOFT),
    Operator::new("QLinearAveragePool", AVERAGE_LAYOUT, |i, n| image(i, n, average_pool)).of(MICROSOFT),
    Operator::new("QLinearGlobalAveragePool", &["channels_last"], |i, n| image(i, n, global_average_pool))
        .of(MICROSOFT),
    Operator::new("QLinearLeakyRelu", &["alpha"], |i, n| one(i, n, activation::leaky_relu)).of(MICROSOFT),
    Operator::new("QLinearSigmoid", &[], |i, n| one(i, n, activation::sigmoid)).of(MICROSOFT),
    Operator::new("QLinearSoftmax", &["axis", "opset"], softmax).of(MICROSOFT),
];

const CONV_LAYOUT: &[&str] = &["auto_pad", "channels_last", "dilations", "group", "kernel_shape", "pads", "strides"];
const AVERAGE_LAYOUT: &[&str] =
    &["auto_pad", "ceil_mode", "channels_last", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"];

/// The value of quantised input `k`, whose scale and zero follow it, or stand at `scale`.
fn value(import: &mut Import, node: &NodeView, k: usize, scale: usize, axis: usize) -> Result<Val> {
    let q = node.input(k)?;
    check_type(node, q, node.optional(scale + 1))?;
    let by = Quantization::of(import, node, scale, axis, q.dtype())?;
    import.dequantized(q, &by)
}

/// An error unless a tensor has quantised integers, and its zero point the same type.
fn check_type(node: &NodeView, q: &Val, zero: Option<&Val>) -> Result<()> {
    let is_narrow = matches!(q.dtype(), DType::I8 | DType::U8 | DType::I16 | DType::U16);
    if !is_narrow {
        return Err(Error::argument(format!("{} of {}", node.op(), q.desc())));
    }
    check_zero(node, q, zero)
}

/// A result that is quantised by the scale at input `scale`; without a zero, to the type of the first input.
fn result(import: &mut Import, node: &NodeView, y: &Val, scale: usize, first: usize) -> Result<Vec<Val>> {
    let by = Quantization::of(import, node, scale, 0, node.input(first)?.dtype())?;
    by.check_steps(node)?;
    Ok(vec![import.quantized(y, &by)?])
}

/// <https://onnx.ai/onnx/operators/onnx__QLinearConv.html>
fn conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    if node.flag("channels_last", false)? {
        return Err(Error::unsupported("QLinearConv with channels_last = 1"));
    }
    let (x, weight) = (value(import, node, 0, 1, 1)?, value(import, node, 3, 4, 0)?);
    let scale = import.binary(BinaryKind::Mul, node.input(1)?, node.input(4)?)?;
    let bias = node.optional(8).map(|bias| bias_value(import, bias, &scale)).transpose()?;
    let y = import.conv(node, &x, &weight, bias.as_ref())?;
    result(import, node, &y, 6, 0)
}

/// A bias of integers, whose scale is that of the products.
fn bias_value(import: &mut Import, bias: &Val, scale: &Val) -> Result<Val> {
    if bias.dtype() != DType::I32 {
        return Err(Error::argument(format!("a quantised bias {}: it must be i32", bias.desc())));
    }
    let bias = import.cast(bias, DType::F32)?;
    let shape = bias.shape().to_vec();
    let y = import.binary(BinaryKind::Mul, &bias, scale)?;
    import.reshape(&y, &shape)
}

/// <https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html>. The first matrix may have a scale per row, the second one per
/// column.
fn matmul(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let rank = |k: usize| node.input(k).map(Val::rank);
    let a = value(import, node, 0, 1, rank(0)?.saturating_sub(2))?;
    let b = value(import, node, 3, 4, rank(3)?.saturating_sub(1))?;
    let y = import.product(&a, &b)?;
    result(import, node, &y, 6, 0)
}

/// `alpha a' b' + c`, where c has the scale of the products; floats if there is no scale for the result.
fn gemm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let transposed = node.flag("transB", false)?;
    let a = value(import, node, 0, 1, 0)?;
    let b = value(import, node, 3, 4, usize::from(!transposed))?;
    let scale = import.binary(BinaryKind::Mul, node.input(1)?, node.input(4)?)?;
    let alpha = node.float("alpha", 1.0)?;
    let c = node.optional(6).map(|c| bias_value(import, c, &scale)).transpose()?;
    let c = c.map(|c| import.scale(&c, alpha)).transpose()?;
    let y = super::linear::gemm(import, &node.with(vec![Some(a), Some(b), c], node.opset))?;
    if node.optional(7).is_none() { Ok(y) } else { result(import, node, &y[0], 7, 0) }
}

fn two(import: &mut Import, node: &NodeView, f: BinaryKind) -> Result<Vec<Val>> {
    let (a, b) = (value(import, node, 0, 1, 0)?, value(import, node, 3, 4, 0)?);
    let y = import.binary(f, &a, &b)?;
    result(import, node, &y, 6, 0)
}

/// Scale and zero of the result, and then each tensor with its own.
fn concat(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let tensors = (2..node.num_inputs()).step_by(3);
    let values = tensors.map(|k| value(import, node, k, k + 1, 0)).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&Val> = values.iter().collect();
    let Some(first) = inputs.first() else { return Err(Error::file("QLinearConcat of nothing")) };
    let y = import.apply(Concat { axis: node.axis(1, first.rank())? }, &inputs)?;
    result(import, node, &y, 0, 2)
}

/// What `f` makes of the value of the first input.
fn one(import: &mut Import, node: &NodeView, f: Handler) -> Result<Vec<Val>> {
    let x = value(import, node, 0, 1, 0)?;
    let y = f(import, &node.with(vec![Some(x)], node.opset))?;
    result(import, node, &y[0], 3, 0)
}

/// The same of images, whose channels may come last.
fn image(import: &mut Import, node: &NodeView, f: Handler) -> Result<Vec<Val>> {
    if !node.flag("channels_last", false)? {
        return one(import, node, f);
    }
    let x = value(import, node, 0, 1, 0)?;
    let rank = x.rank();
    if rank < 3 {
        return Err(Error::shape(format!("{} of {} with channels_last = 1", node.op(), x.desc())));
    }
    let first: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let last: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    let x = import.permute(&x, &first)?;
    let y = f(import, &node.with(vec![Some(x)], node.opset))?;
    let y = import.permute(&y[0], &last)?;
    result(import, node, &y, 3, 0)
}

/// Its attribute says which operator set's Softmax is meant.
fn softmax(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = value(import, node, 0, 1, 0)?;
    // The default axis is the last one in every operator set.
    let opset = if node.has("axis") { node.int("opset", 1)? } else { 13 };
    let y = reduce::softmax(import, &node.with(vec![Some(x)], opset))?;
    result(import, node, &y[0], 3, 0)
}

/// <https://onnx.ai/onnx/operators/onnx__ConvInteger.html>
fn conv_integer(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight) = (centred(import, node, 0, 2, 1)?, centred(import, node, 1, 3, 0)?);
    let terms = weight.shape().iter().skip(1).product();
    let largest = weight.known().map(|w| largest_sum(w, terms, 1));
    digits(import, &weight, terms, largest, |import, digits| import.exact_conv(node, &x, digits)).map(|y| vec![y])
}

/// <https://onnx.ai/onnx/operators/onnx__MatMulInteger.html>
fn matmul_integer(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let rank = |k: usize| node.input(k).map(Val::rank);
    let a = centred(import, node, 0, 2, rank(0)?.saturating_sub(2))?;
    let b = centred(import, node, 1, 3, rank(1)?.saturating_sub(1))?;
    let terms = a.shape().last().copied().unwrap_or(1);
    let columns = if b.rank() > 1 { b.shape()[b.rank() - 1] } else { 1 };
    let largest = b.known().map(|b| largest_sum(b, terms, columns));
    digits(import, &b, terms, largest, |import, digits| import.product(&a, digits)).map(|y| vec![y])
}

/// Integers less their zero point, as f32. It may have an element per extent of an axis.
fn centred(import: &mut Import, node: &NodeView, k: usize, zero: usize, axis: usize) -> Result<Val> {
    let q = node.input(k)?;
    check_type(node, q, node.optional(zero))?;
    if !matches!(q.dtype(), DType::I8 | DType::U8) {
        return Err(Error::unsupported(format!("{} of {}", node.op(), q.desc())));
    }
    let q = import.cast(q, DType::F32)?;
    let Some(zero) = node.optional(zero) else { return Ok(q) };
    let zero = broadcast(import, zero, q.shape(), axis, Sharing::Broadcast)?;
    let centred = import.binary(BinaryKind::Sub, &q, &zero)?;
    match centred.shape() == q.shape() {
        true => Ok(centred),
        false => Err(Error::shape(format!("{} of {} with the zero point {}", node.op(), q.desc(), zero.desc()))),
    }
}

/// The largest sum of absolute values of `terms` elements that are `step` apart.
fn largest_sum(weight: &Tensor, terms: usize, step: usize) -> f64 {
    let values = weight.to_f64s();
    let sum = |part: &[f64], first: usize| part[first..].iter().step_by(step).map(|v| v.abs()).sum::<f64>();
    let parts = values.chunks((terms * step).max(1));
    parts.flat_map(|part| (0..step.min(part.len())).map(move |first| sum(part, first))).fold(0.0, f64::max)
}

/// Sums of `terms` products of integers of 9 bits, as i32. Sums in f32 are exact below 2^24, so where they may be larger the
/// second factor is taken digit by digit: `product` gives the sums for a digit. `largest` is the largest sum of absolute values
/// of the second factor, where that is known.
fn digits(
    import: &mut Import,
    factor: &Val,
    terms: usize,
    largest: Option<f64>,
    product: impl Fn(&mut Import, &Val) -> Result<Val>,
) -> Result<Val> {
    const MOST: f64 = 255.0;
    if largest.unwrap_or(terms as f64 * MOST) * MOST < EXACT {
        let y = product(import, factor)?;
        return import.cast(&y, DType::I32);
    }
    let fits = |bits: &u32| terms as f64 * f64::from((1u32 << bits) - 1) * MOST < EXACT;
    let Some(bits) = [4u32, 2, 1].into_iter().find(fits) else {
        return Err(Error::unsupported(format!("sums of {terms} products of integers")));
    };
    let base = Val::from(Tensor::scalar((1u32 << bits) as f32));
    let (mut rest, mut sum) = (factor.clone(), None);
    for shift in (0..=8).step_by(bits as usize) {
        // Above the last digit the rest is 0 or -1.
        let digit = match shift < 8 {
            true => import.binary(BinaryKind::Mod, &rest, &base)?,
            false => rest.clone(),
        };
        if sum.is_none() || !is_zero(&digit) {
            let part = product(import, &digit)?;
            let part = import.cast(&part, DType::I32)?;
            let place = Val::from(Tensor::from([1i32 << shift]).reshape([])?);
            let weighted = import.binary(BinaryKind::Mul, &part, &place)?;
            sum = Some(match sum {
                None => weighted,
                Some(sum) => import.binary(BinaryKind::Add, &sum, &weighted)?,
            });
        }
        if shift < 8 {
            let quotient = import.binary(BinaryKind::Div, &rest, &base)?;
            rest = import.apply(Unary(Activation::Floor), &[&quotient])?;
        }
    }
    sum.ok_or_else(|| Error::argument("there is no digit"))
}

impl Import<'_> {
    /// A convolution whose sums of integers are exact: not by Winograd's algorithm, whose constants are fractions.
    fn exact_conv(&mut self, node: &NodeView, x: &Val, weight: &Val) -> Result<Val> {
        let (mut op, image, mut weight) = self.convolution(node, x, weight)?;
        if op.stride == [1, 1] && weight.shape()[2..] == [3, 3] {
            // A column of zeros makes the window another one.
            let pads = vec![[0, 0], [0, 0], [0, 0], [0, 1]];
            weight = self.apply(Pad { pads, mode: PadMode::Constant(0.0) }, &[&weight])?;
            op.padding[1][1] += op.dilation[1];
        }
        let y = self.apply(op, &[&image, &weight])?;
        self.as_rank(&y, x.rank())
    }
}

//! Quantised networks: QuantizeLinear, DequantizeLinear, and operators between quantised tensors, of ONNX and of `com.microsoft`.
//!
//! A quantised tensor is integers q of 4 to 16 bits that stand for `scale (q - zero)`. Networks are computed in these values, in
//! f32: an operator between quantised tensors is the operator between their values, whose results are rounded to whole steps.
//! That is one activation ([`Activation::FakeQuantize`]), which fuses into the kernel before it. The integers themselves are
//! computed only where something reads them ([`Import::steps`]).

use super::operator::{MICROSOFT, Operator};
use super::val::{Scalar, Steps};
use super::{Import, NodeView, Val};
use crate::attr::{Activation, BinaryKind, ReduceKind};
use crate::error::{Error, Result};
use crate::model::proto::data_type as ty;
use crate::ops::gather::Gather;
use crate::ops::reduce::Reduce;
use crate::ops::select::Where;
use crate::ops::unary::Unary;
use crate::shape::DType;
use crate::tensor::Tensor;

/// Operators that move or compare the elements of their first input: of quantised ones they are the same as of their values.
const MOVES: [&str; 15] = [
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GlobalMaxPool",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

const QUANTIZE: &[&str] = &["axis", "block_size", "output_dtype", "precision", "saturate"];
const DEQUANTIZE: &[&str] = &["axis", "block_size", "output_dtype"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("DequantizeLinear", DEQUANTIZE, dequantize_linear),
    Operator::new("DequantizeLinear", DEQUANTIZE, dequantize_linear).of(MICROSOFT),
    Operator::new("DynamicQuantizeLinear", &[], dynamic_quantize_linear),
    Operator::new("QuantizeLinear", QUANTIZE, quantize_linear),
    Operator::new("QuantizeLinear", QUANTIZE, quantize_linear).of(MICROSOFT),
];

/// How integers stand for values.
#[derive(Clone, Debug)]
pub(super) struct Quantization {
    scale: Val,
    /// 0 if it is absent.
    zero: Option<Val>,
    /// The integers' type, and the least and the largest of them.
    dtype: DType,
    range: [f32; 2],
    /// The axis along which scales differ.
    axis: usize,
    sharing: Sharing,
}

/// Which elements share a scale, where there are several.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sharing {
    /// A list has one for each extent of the axis; a tensor of more axes broadcasts.
    Broadcast,
    /// There is one for each extent of the axis.
    Axis,
    /// So many neighbours along the axis.
    Block(usize),
}

/// The least and the largest integer of a type.
fn range(dtype: DType) -> Result<[f32; 2]> {
    Ok(match dtype {
        DType::I8 => [-128.0, 127.0],
        DType::U8 => [0.0, 255.0],
        DType::I16 => [-32768.0, 32767.0],
        DType::U16 => [0.0, 65535.0],
        // What is only dequantised: the bias of a convolution.
        DType::I32 => [i32::MIN as f32, i32::MAX as f32],
        other => return Err(Error::unsupported(format!("quantised elements of type {other}"))),
    })
}

impl Quantization {
    /// That of a node's inputs `scale` and `scale + 1`, for a tensor with one scale, or one for each extent of `axis`.
    /// `otherwise` is the type of the integers if there is no zero.
    ///
    /// # Errors
    /// The scale is no float; the zero has another shape or a type that is not quantised.
    pub fn of(import: &Import, node: &NodeView, scale: usize, axis: usize, otherwise: DType) -> Result<Quantization> {
        let zero = node.optional(scale + 1);
        let dtype = zero.map_or(otherwise, Val::dtype);
        let range = match zero.is_some_and(|zero| import.is_of_four_bits(zero)) {
            true if dtype == DType::I8 => [-8.0, 7.0],
            true => [0.0, 15.0],
            false => range(dtype)?,
        };
        Quantization::new(node, node.input(scale)?, zero.cloned(), dtype, range, axis)
    }

    fn new(
        node: &NodeView,
        scale: &Val,
        zero: Option<Val>,
        dtype: DType,
        range: [f32; 2],
        axis: usize,
    ) -> Result<Quantization> {
        if scale.dtype() != DType::F32 {
            return Err(Error::argument(format!("{} with the scale {}: it must be f32", node.op(), scale.desc())));
        }
        if let Some(zero) = &zero
            && zero.shape() != scale.shape()
            && [zero, scale].iter().any(|v| v.shape().iter().product::<usize>() != 1)
        {
            let text = format!("{} with the scale {} and the zero point {}", node.op(), scale.desc(), zero.desc());
            return Err(Error::shape(text));
        }
        Ok(Quantization { scale: scale.clone(), zero, dtype, range, axis, sharing: Sharing::Broadcast })
    }

    /// An error unless values may be rounded to such steps: the integers have 4 to 16 bits, and a known scale is a number above
    /// 0. (Integers that are read may have any scale: 0 is that of weights which are 0.)
    pub fn check_steps(&self, node: &NodeView) -> Result<()> {
        if self.dtype == DType::I32 {
            return Err(Error::unsupported(format!("{} to i32", node.op())));
        }
        match self.scale.known().and_then(|t| t.iter_f64s().find(|v| !(*v > 0.0 && v.is_finite()))) {
            Some(wrong) => Err(Error::argument(format!("{} with the scale {wrong}: it must be above 0", node.op()))),
            None => Ok(()),
        }
    }

    /// One known scale and zero.
    fn scalar(&self) -> Option<Scalar> {
        let number = |v: &Val| v.known().filter(|t| t.numel() == 1).map(|t| t.to_f64s()[0] as f32);
        let zero = self.zero.as_ref().map_or(Some(0.0), number)?;
        Some(Scalar { scale: number(&self.scale)?, zero, dtype: self.dtype })
    }

    /// Scale and zero as f32, of shapes that broadcast to that of a tensor.
    fn spread(&self, import: &mut Import, shape: &[usize]) -> Result<(Val, Option<Val>)> {
        let mut broadcast = |x: &Val| broadcast(import, x, shape, self.axis, self.sharing);
        let scale = broadcast(&self.scale)?;
        let zero = self.zero.as_ref().filter(|zero| !is_zero(zero));
        Ok((scale, zero.map(broadcast).transpose()?))
    }
}

/// Scales or zeros as f32, of a shape that broadcasts to that of a tensor.
pub(super) fn broadcast(import: &mut Import, x: &Val, shape: &[usize], axis: usize, sharing: Sharing) -> Result<Val> {
    let x = import.cast(x, DType::F32)?;
    let wrong = || Error::shape(format!("scales or zero points {} of a tensor {shape:?}, axis {axis}", x.desc()));
    if x.shape().iter().product::<usize>() == 1 {
        return import.reshape(&x, &[]);
    }
    match sharing {
        Sharing::Block(block) => {
            let blocks = shape.get(axis).ok_or_else(wrong)?.div_ceil(block);
            let fits = |k: usize| x.shape()[k] == if k == axis { blocks } else { shape[k] };
            if x.rank() != shape.len() || !(0..shape.len()).all(fits) {
                return Err(wrong());
            }
            let places: Vec<i64> = (0..shape[axis]).map(|k| (k / block) as i64).collect();
            import.apply(Gather { axis }, &[&x, &Tensor::from(places).into()])
        }
        _ if x.rank() == 1 && shape.get(axis) == Some(&x.shape()[0]) => {
            let mut along = vec![1; shape.len() - axis];
            along[0] = shape[axis];
            import.reshape(&x, &along)
        }
        Sharing::Broadcast if x.rank() > 1 => Ok(x),
        _ => Err(wrong()),
    }
}

/// Whether all elements are known to be 0.
pub(super) fn is_zero(x: &Val) -> bool {
    x.known().is_some_and(|t| t.iter_f64s().all(|v| v == 0.0))
}

/// An error if the zero point of integers is of another type.
pub(super) fn check_zero(node: &NodeView, q: &Val, zero: Option<&Val>) -> Result<()> {
    match zero.filter(|zero| zero.dtype() != q.dtype()) {
        Some(zero) => {
            let text = format!("{} of {} with the zero point {}: the types differ", node.op(), q.desc(), zero.desc());
            Err(Error::argument(text))
        }
        None => Ok(()),
    }
}

impl Import<'_> {
    /// The values of quantised integers: `scale (q - zero)`.
    pub(super) fn dequantized(&mut self, q: &Val, by: &Quantization) -> Result<Val> {
        if let Some(steps) = self.steps_of(q)
            && by.scalar() == Some(steps.by)
        {
            return Ok(steps.value.clone());
        }
        let (scale, zero) = by.spread(self, q.shape())?;
        let mut x = self.cast(q, DType::F32)?;
        if let Some(zero) = zero {
            x = self.binary(BinaryKind::Sub, &x, &zero)?;
        }
        let y = self.binary(BinaryKind::Mul, &x, &scale)?;
        if y.shape() != q.shape() {
            return Err(Error::shape(format!("the scale {} of a tensor {}", scale.desc(), q.desc())));
        }
        Ok(y)
    }

    /// Integers that stand for values.
    pub(super) fn quantized(&mut self, x: &Val, by: &Quantization) -> Result<Val> {
        let x = &self.cast(x, DType::F32)?;
        if let Some(scalar) = by.scalar().filter(|_| x.known().is_none()) {
            let [low, high] = by.range.map(|limit| limit - scalar.zero);
            let f = Activation::FakeQuantize { scale: scalar.scale, low, high };
            let value = self.apply(Unary(f), &[x])?;
            return self.with_steps(Steps { value, by: scalar });
        }
        let (scale, zero) = by.spread(self, x.shape())?;
        let quotient = self.binary(BinaryKind::Div, x, &scale)?;
        if quotient.shape() != x.shape() {
            return Err(Error::shape(format!("the scale {} of a tensor {}", scale.desc(), x.desc())));
        }
        let mut q = self.apply(Unary(Activation::Round), &[&quotient])?;
        if let Some(zero) = zero {
            q = self.binary(BinaryKind::Add, &q, &zero)?;
        }
        // The lowest integer stands for NaN, which a clamp would pass on.
        let [low, high] = by.range;
        let q = self.apply(Unary(Activation::FakeQuantize { scale: 1.0, low, high }), &[&q])?;
        self.cast(&q, by.dtype)
    }

    /// The integers of a value that has whole steps; they are computed if something reads them.
    fn with_steps(&mut self, steps: Steps) -> Result<Val> {
        let Scalar { scale, zero, dtype } = steps.by;
        let quotient = self.binary(BinaryKind::Div, &steps.value, &Tensor::scalar(scale).into())?;
        let mut q = self.apply(Unary(Activation::Round), &[&quotient])?;
        if zero != 0.0 {
            q = self.binary(BinaryKind::Add, &q, &Tensor::scalar(zero).into())?;
        }
        let q = self.cast(&q, dtype)?;
        if let Val::Computed(id, _) = &q {
            self.steps.insert(*id, steps);
        }
        Ok(q)
    }

    /// What integers stand for, if a node quantised them.
    fn steps_of(&self, q: &Val) -> Option<&Steps> {
        match q {
            Val::Computed(id, _) => self.steps.get(id),
            Val::Known(_) => None,
        }
    }

    /// The node with the values for which its integers stand, if it only moves or compares elements, and all that it moves are
    /// quantised alike: then so are its outputs, which [`Import::in_front`] quantises.
    pub(super) fn behind<'n>(&self, node: &NodeView<'n>) -> Option<(NodeView<'n>, Scalar)> {
        let by = self.steps_of(node.optional(0)?)?.by;
        let moved = match node.op() {
            "Concat" => node.num_inputs(),
            name if MOVES.contains(&name) => 1,
            "Resize" if is_plain_resize(node) => 1,
            _ => return None,
        };
        let mut inputs = node.all().to_vec();
        for input in &mut inputs[..moved] {
            let steps = self.steps_of(input.as_ref()?).filter(|steps| steps.by == by)?;
            *input = Some(steps.value.clone());
        }
        Some((node.with(inputs, node.opset), by))
    }

    /// The integers of the outputs of a node that was given values in place of integers.
    pub(super) fn in_front(&mut self, outputs: Vec<Val>, by: Scalar) -> Result<Vec<Val>> {
        let one = |value: Val| match value.dtype() {
            DType::F32 if value.known().is_none() => self.with_steps(Steps { value, by }),
            _ => Ok(value),
        };
        outputs.into_iter().map(one).collect()
    }
}

/// Axis and block of a node's scales for a tensor of this rank.
fn along(node: &NodeView, by: Quantization, rank: usize) -> Result<Quantization> {
    if by.scale.shape().iter().product::<usize>() == 1 {
        return Ok(by);
    }
    let sharing = match node.count("block_size", 0)? {
        0 => Sharing::Axis,
        block => Sharing::Block(block),
    };
    Ok(Quantization { axis: node.axis(1, rank)?, sharing, ..by })
}

/// Whether a Resize only moves elements: nothing is interpolated, and nothing beyond the borders is filled in.
fn is_plain_resize(node: &NodeView) -> bool {
    let is =
        |name: &str, otherwise: &str, wanted: &str| node.string(name, otherwise).is_ok_and(|value| value == wanted);
    is("mode", "nearest", "nearest") && !is("coordinate_transformation_mode", "half_pixel", "tf_crop_and_resize")
}

/// <https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html>
fn quantize_linear(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let mut by = Quantization::of(import, node, 1, 0, DType::U8)?;
    if by.zero.is_none() {
        (by.dtype, by.range) = match i32::try_from(node.int("output_dtype", 0)?).unwrap_or(-1) {
            0 | ty::UINT8 => (DType::U8, range(DType::U8)?),
            ty::INT8 => (DType::I8, range(DType::I8)?),
            ty::UINT16 => (DType::U16, range(DType::U16)?),
            ty::INT16 => (DType::I16, range(DType::I16)?),
            ty::UINT4 => (DType::U8, [0.0, 15.0]),
            ty::INT4 => (DType::I8, [-8.0, 7.0]),
            other => return Err(Error::unsupported(format!("QuantizeLinear to output_dtype = {other}"))),
        };
    }
    if !matches!(x.dtype(), DType::F32 | DType::I32) {
        return Err(Error::argument(format!("QuantizeLinear of {}", x.desc())));
    }
    by.check_steps(node)?;
    let by = along(node, by, x.rank())?;
    Ok(vec![import.quantized(x, &by)?])
}

/// <https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html>
fn dequantize_linear(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let q = node.input(0)?;
    check_zero(node, q, node.optional(2))?;
    let zero = node.optional(2).cloned();
    let by = Quantization::new(node, node.input(1)?, zero, q.dtype(), range(q.dtype())?, 0)?;
    Ok(vec![import.dequantized(q, &along(node, by, q.rank())?)?])
}

impl Import<'_> {
    /// Whether a known tensor has 4 bits per element in the file.
    fn is_of_four_bits(&self, x: &Val) -> bool {
        x.known().is_some_and(|t| self.nibbles.contains_key(&t.data().address()))
    }
}

/// <https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html>: to u8, with the range of the input and 0.
fn dynamic_quantize_linear(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let zero = Val::from(Tensor::scalar(0.0));
    let mut extreme = |kind: ReduceKind, with: BinaryKind| -> Result<Val> {
        let all = Reduce { axes: (0..x.rank()).collect(), keep_dims: false, kind };
        let y = import.apply(all, &[x])?;
        import.binary(with, &y, &zero)
    };
    let max = extreme(ReduceKind::Max, BinaryKind::Maximum)?;
    let min = extreme(ReduceKind::Min, BinaryKind::Minimum)?;
    let span = import.binary(BinaryKind::Sub, &max, &min)?;
    let scale = import.binary(BinaryKind::Div, &span, &Tensor::scalar(255.0).into())?;
    // Of zeros alone it is 1, as in ONNX Runtime.
    let is_flat = import.binary(BinaryKind::Equal, &scale, &zero)?;
    let scale = import.apply(Where, &[&is_flat, &Tensor::scalar(1.0).into(), &scale])?;
    let minus = import.apply(Unary(Activation::Neg), &[&min])?;
    let quotient = import.binary(BinaryKind::Div, &minus, &scale)?;
    let limits = Unary(Activation::Clamp { min: 0.0, max: 255.0 });
    let limited = import.apply(limits, &[&quotient])?;
    let point = import.apply(Unary(Activation::Round), &[&limited])?;
    let point = import.cast(&point, DType::U8)?;
    let by = Quantization {
        scale: scale.clone(),
        zero: Some(point.clone()),
        dtype: DType::U8,
        range: range(DType::U8)?,
        axis: 0,
        sharing: Sharing::Broadcast,
    };
    Ok(vec![import.quantized(x, &by)?, scale, point])
}

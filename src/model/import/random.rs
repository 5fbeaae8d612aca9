//! Random numbers: RandomNormal, RandomUniform and their Like forms, Bernoulli, Multinomial.
//!
//! All numbers are drawn on the host when the network is planned, so they are the same on every device and in every run: those of
//! splitmix64 ([`Rng`]), which begins at the bits of the attribute `seed`, or without one at a hash of the node's name.

use xxhash_rust::xxh3::xxh3_64;

use super::operator::Operator;
use super::{Import, NodeView, Val, checked_numel};
use crate::attr::{BinaryKind, Extreme};
use crate::error::{Error, Result};
use crate::model::tensor_proto;
use crate::ops::reduce::ArgReduce;
use crate::rng::Rng;
use crate::shape::DType;
use crate::tensor::{Data, Tensor};

const NORMAL: &[&str] = &["dtype", "mean", "scale", "seed", "shape"];
const UNIFORM: &[&str] = &["dtype", "high", "low", "seed", "shape"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Bernoulli", &["dtype", "seed"], bernoulli),
    Operator::new("Multinomial", &["dtype", "sample_size", "seed"], multinomial),
    Operator::new("RandomNormal", NORMAL, normal),
    Operator::new("RandomNormalLike", &["dtype", "mean", "scale", "seed"], normal),
    Operator::new("RandomUniform", UNIFORM, uniform),
    Operator::new("RandomUniformLike", &["dtype", "high", "low", "seed"], uniform),
];

/// The generator of a node.
fn generator(node: &NodeView) -> Result<Rng> {
    Ok(Rng(match node.has("seed") {
        true => node.float("seed", 0.0)?.to_bits().into(),
        false => xxh3_64(node.name().as_bytes()),
    }))
}

/// `scale n + mean`, n normally distributed. <https://onnx.ai/onnx/operators/onnx__RandomNormal.html>
fn normal(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (mean, scale) = (f64::from(node.float("mean", 0.0)?), f64::from(node.float("scale", 1.0)?));
    let (shape, dtype) = wanted(import, node)?;
    let mut rng = generator(node)?;
    let numbers = import.drawn(&shape, dtype, || mean + scale * rng.normal())?;
    Ok(vec![numbers])
}

/// From `low` to `high`, which a rounded number may reach. <https://onnx.ai/onnx/operators/onnx__RandomUniform.html>
fn uniform(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (low, high) = (f64::from(node.float("low", 0.0)?), f64::from(node.float("high", 1.0)?));
    let (shape, dtype) = wanted(import, node)?;
    let mut rng = generator(node)?;
    let numbers = import.drawn(&shape, dtype, || low + (high - low) * rng.unit(dtype))?;
    Ok(vec![numbers])
}

/// Shape and type of the numbers: those of the attributes, or of the input.
fn wanted(import: &Import, node: &NodeView) -> Result<(Vec<usize>, DType)> {
    let Some(like) = node.optional(0) else {
        let shape = node.counts("shape")?.ok_or_else(|| Error::file(format!("{} lacks its shape", node.op())))?;
        return Ok((shape, float(node, DType::F32)?));
    };
    let own = import.declared_type(node.input_name(0)).unwrap_or(like.dtype());
    Ok((like.shape().to_vec(), float(node, own)?))
}

/// The attribute `dtype`.
fn dtype(node: &NodeView, otherwise: DType) -> Result<DType> {
    match i32::try_from(node.int("dtype", 0)?).unwrap_or(-1) {
        0 => Ok(otherwise),
        number => tensor_proto::dtype(number),
    }
}

/// The same of floats alone.
fn float(node: &NodeView, otherwise: DType) -> Result<DType> {
    let dtype = dtype(node, otherwise)?;
    match dtype.is_float() {
        true => Ok(dtype),
        false => Err(Error::unsupported(format!("{} of {dtype}: it draws floats", node.op()))),
    }
}

/// 1 with the probability x, else 0: whether a uniform number is below x. Those are the multiples of 2^-24 (of f64 2^-53) below 1,
/// so x = 0 and NaN always give 0, and x = 1 always gives 1. A number that equals x gives 0.
/// <https://onnx.ai/onnx/operators/onnx__Bernoulli.html>
fn bernoulli(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    if !x.dtype().is_float() {
        return Err(Error::unsupported(format!("Bernoulli of {}: it takes probabilities", x.desc())));
    }
    let own = import.declared_type(node.input_name(0)).unwrap_or(x.dtype());
    let to = dtype(node, own)?;
    let mut rng = generator(node)?;
    let numbers = import.drawn(x.shape(), x.dtype(), || rng.unit(x.dtype()))?;
    let below = import.binary(BinaryKind::Less, &numbers, x)?;
    Ok(vec![import.cast(&below, to)?])
}

/// Classes with the probabilities `softmax(x)`, x `[batch, classes]`: where `x + g` is largest, g drawn from Gumbel's
/// distribution for every sample and class. <https://onnx.ai/onnx/operators/onnx__Multinomial.html>
fn multinomial(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let (&[batch, classes], true) = (x.shape(), x.dtype().is_float()) else {
        return Err(Error::shape(format!("Multinomial takes floats [batch, classes], not {}", x.desc())));
    };
    let samples = node.count("sample_size", 1)?;
    let to = dtype(node, DType::I32)?;
    if samples == 0 || !matches!(to, DType::I32 | DType::I64) {
        let text = format!("Multinomial of {samples} samples as {to}: it takes a sample or more, as i32 or i64");
        return Err(Error::argument(text));
    }
    let x = import.cast(x, DType::F32)?;
    let x = import.reshape(&x, &[batch, 1, classes])?;
    let mut rng = generator(node)?;
    let gumbel = import.drawn(&[batch, samples, classes], DType::F32, || -(-rng.inside().ln()).ln())?;
    let sum = import.binary(BinaryKind::Add, &x, &gumbel)?;
    let op = ArgReduce { axis: 2, keep_dims: false, select_last: false, kind: Extreme::Max };
    let class = import.apply(op, &[&sum])?;
    Ok(vec![import.cast(&class, to)?])
}

impl Import<'_> {
    /// A known tensor of these numbers.
    fn drawn(&mut self, shape: &[usize], dtype: DType, number: impl FnMut() -> f64) -> Result<Val> {
        let count = checked_numel(shape)?;
        if !self.affords_room(count) {
            return Err(Error::unsupported(format!("{count} random numbers: too many")));
        }
        self.affords_memory(shape, DType::F64)?;
        let numbers: Vec<f64> = std::iter::repeat_with(number).take(count).collect();
        let tensor = Tensor::of(shape, Data::F64(numbers.into()));
        match dtype {
            DType::F64 => Ok(tensor.into()),
            // Halves are f32 here, rounded.
            dtype => self.cast(&tensor.to_dtype(DType::F32).into(), dtype),
        }
    }
}

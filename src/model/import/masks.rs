//! Operators that depend on positions: OneHot, Trilu, EyeLike, Compress, NonZero, ReverseSequence.

use super::operator::Operator;
use super::{Import, NodeView, Val, checked_numel};
use crate::attr::BinaryKind;
use crate::error::{Error, Result};
use crate::model::tensor_proto;
use crate::ops::gather::Gather;
use crate::ops::select::Where;
use crate::ops::slice::Slice;
use crate::shape::{self, DType};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Compress", &["axis"], compress).host(&[1]),
    Operator::new("EyeLike", &["dtype", "k"], eye_like),
    Operator::new("NonZero", &[], non_zero).host(&[0]),
    Operator::new("OneHot", &["axis"], one_hot).host(&[1]),
    Operator::new("ReverseSequence", &["batch_axis", "time_axis"], reverse_sequence),
    Operator::new("Trilu", &["upper"], trilu).host(&[1]),
];

impl Import<'_> {
    /// Indices into an axis as i64 of this shape; negative ones, which count from the end, become those from the start.
    pub fn counted_from_start(&mut self, indices: &Val, extent: usize, shape: &[usize]) -> Result<Val> {
        let integer = |n: usize| Val::from(Tensor::of([], vec![n as i64]));
        let indices = self.cast(indices, DType::I64)?;
        let indices = self.reshape(&indices, shape)?;
        let negative = self.binary(BinaryKind::Less, &indices, &integer(0))?;
        let wrapped = self.binary(BinaryKind::Add, &indices, &integer(extent))?;
        self.apply(Where, &[&negative, &wrapped, &indices])
    }

    /// `on` where the position on the new axis equals the index, else `off`; a negative index counts from the end.
    pub fn one_hot(&mut self, indices: &Val, depth: usize, axis: usize, on: &Val, off: &Val) -> Result<Val> {
        let mut wide = indices.shape().to_vec();
        wide.insert(axis, 1);
        let indices = self.counted_from_start(indices, depth, &wide)?;
        wide.fill(1);
        wide[axis] = checked_numel(&[depth])?;
        if !self.affords_room(depth) {
            return Err(Error::unsupported(format!("OneHot of depth {depth}: too large")));
        }
        self.affords_memory(&wide, DType::I64)?;
        let counted = Tensor::of(wide, (0..depth as i64).collect::<Vec<_>>());
        let here = self.binary(BinaryKind::Equal, &indices, &counted.into())?;
        self.apply(Where, &[&here, on, off])
    }
}

/// <https://onnx.ai/onnx/operators/onnx__OneHot.html>
fn one_hot(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (indices, values) = (node.input(0)?, node.input(2)?);
    let depth = node.host(1).map(Tensor::to_f64s).unwrap_or_default();
    let (&[depth], &[2]) = (&depth[..], values.shape()) else {
        return Err(Error::shape(format!("OneHot takes one depth and two values, not {}", values.desc())));
    };
    let axis = node.axis(-1, indices.rank() + 1)?;
    let mut value = |k: i64| {
        let one = import.apply(Slice { starts: vec![k], steps: vec![1], sizes: vec![1] }, &[values])?;
        import.reshape(&one, &[])
    };
    let (off, on) = (value(0)?, value(1)?);
    Ok(vec![import.one_hot(indices, depth.max(0.0) as usize, axis, &on, &off)?])
}

/// The matrix of this many rows and columns with the elements `f(column - row)`.
fn band(import: &mut Import, [rows, columns]: [usize; 2], f: impl Fn(i64) -> bool) -> Result<Tensor> {
    if !import.affords_room(checked_numel(&[rows, columns])?) {
        return Err(Error::unsupported(format!("a mask of {rows} x {columns}: too large")));
    }
    import.affords_memory(&[rows, columns], DType::Bool)?;
    let at = |i: usize| f((i % columns) as i64 - (i / columns) as i64);
    Ok(Tensor::of([rows, columns], (0..rows * columns).map(at).collect::<Vec<_>>()))
}

/// The last two extents.
fn matrix(x: &Val) -> Result<[usize; 2]> {
    match *x.shape() {
        [.., rows, columns] => Ok([rows, columns]),
        _ => Err(Error::shape(format!("{} is not a matrix", x.desc()))),
    }
}

/// <https://onnx.ai/onnx/operators/onnx__Trilu.html>
fn trilu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let k = node.host_ints(1)?.and_then(|k| k.first().copied()).unwrap_or(0);
    let upper = node.flag("upper", true)?;
    let kept = band(import, matrix(x)?, |d| if upper { d >= k } else { d <= k })?;
    let zero = import.cast(&Tensor::scalar(0.0).into(), x.dtype())?;
    Ok(vec![import.apply(Where, &[&kept.into(), x, &zero])?])
}

/// <https://onnx.ai/onnx/operators/onnx__EyeLike.html>
fn eye_like(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let dtype = match i32::try_from(node.int("dtype", 0)?).unwrap_or(-1) {
        0 => x.dtype(),
        number => tensor_proto::dtype(number)?,
    };
    let k = node.int("k", 0)?;
    let diagonal = band(import, matrix(x)?, |d| d == k)?;
    Ok(vec![import.cast(&diagonal.into(), dtype)?])
}

/// The indices of what is not 0, an axis per row; of a scalar a row as well, as ONNX Runtime has it. How many there are is
/// a shape, so the values must be known. <https://onnx.ai/onnx/operators/onnx__NonZero.html>
fn non_zero(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?.known().expect("the table says it is known");
    let shape = if x.shape().is_empty() { &[1] } else { x.shape() };
    let (found, strides) = (positions(x), &shape::strides(shape));
    if !import.affords_room(found.len().saturating_mul(shape.len())) {
        return Err(Error::unsupported(format!("NonZero of {} with {} indices: too large", x.desc(), found.len())));
    }
    let along = |axis: usize| found.iter().map(move |&k| (k / strides[axis] % shape[axis]) as i64);
    let indices: Vec<i64> = (0..shape.len()).flat_map(along).collect();
    Ok(vec![Tensor::of([shape.len(), found.len()], indices).into()])
}

/// The flat positions of what is not 0.
fn positions(x: &Tensor) -> Vec<usize> {
    x.to_f64s().into_iter().enumerate().filter(|&(_, v)| v != 0.0).map(|(k, _)| k).collect()
}

/// The parts along an axis, or without one the elements, where the condition holds; it may be shorter or longer.
/// <https://onnx.ai/onnx/operators/onnx__Compress.html>
fn compress(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, condition) = (node.input(0)?, node.input(1)?.known().expect("the table says it is known"));
    let (x, axis) = match node.has("axis") {
        true => (x.clone(), node.axis(0, x.rank())?),
        false => (import.reshape(x, &[x.shape().iter().product()])?, 0),
    };
    let kept = positions(condition).into_iter().filter(|&k| k < x.shape()[axis]);
    let kept: Vec<i64> = kept.map(|k| k as i64).collect();
    Ok(vec![import.apply(Gather { axis }, &[&x, &Tensor::of([kept.len()], kept).into()])?])
}

/// <https://onnx.ai/onnx/operators/onnx__ReverseSequence.html>: step t of a sequence of n is step n - 1 - t where t < n. The
/// first two axes are one, of which rows are gathered.
fn reverse_sequence(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, lengths) = (node.input(0)?, node.input(1)?);
    let axes @ [batch, time] = [node.count("batch_axis", 1)?, node.count("time_axis", 0)?];
    let &[a, b, ref inner @ ..] = x.shape() else {
        return Err(Error::shape(format!("ReverseSequence of {}: it takes two axes", x.desc())));
    };
    if ![[0, 1], [1, 0]].contains(&axes) || lengths.shape() != [x.shape()[batch]] {
        let text = format!("ReverseSequence of {} along {time}, batch {batch}, lengths {}", x.desc(), lengths.desc());
        return Err(Error::shape(text));
    }
    let steps = x.shape()[time];
    if let Some(n) = node.host_ints(1)?.into_iter().flatten().find(|n| !(0..=steps as i64).contains(n)) {
        return Err(Error::argument(format!("ReverseSequence of a sequence of length {n} among {steps} steps")));
    }
    let along = |axis: usize| if axis == 0 { [a, 1] } else { [1, b] };
    let counted = |axis: usize, step: usize| {
        let steps = (0..x.shape()[axis]).map(|k| (k * step) as i32).collect::<Vec<_>>();
        Val::from(Tensor::of(along(axis), steps))
    };
    let number = |n: i32| Val::from(Tensor::of([], vec![n]));
    let lengths = import.cast(lengths, DType::I32)?;
    let lengths = import.reshape(&lengths, &along(batch))?;
    let t = counted(time, 1);
    let inside = import.binary(BinaryKind::Less, &t, &lengths)?;
    let last = import.binary(BinaryKind::Sub, &lengths, &number(1))?;
    let mirrored = import.binary(BinaryKind::Sub, &last, &t)?;
    let from = import.apply(Where, &[&inside, &mirrored, &t])?;
    let pitch = |axis: usize| if axis == 0 { b } else { 1 };
    let rows = import.binary(BinaryKind::Mul, &from, &number(pitch(time) as i32))?;
    let rows = import.binary(BinaryKind::Add, &rows, &counted(batch, pitch(batch)))?;
    let flat = import.reshape(x, &[&[a * b], inner].concat())?;
    Ok(vec![import.apply(Gather { axis: 0 }, &[&flat, &rows])?])
}

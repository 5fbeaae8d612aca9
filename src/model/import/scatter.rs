//! Elements selected or written by tensors of indices: GatherElements, GatherND, ScatterElements, ScatterND. Each
//! becomes a gather of rows by their numbers.

use std::collections::HashMap;

use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::BinaryKind;
use crate::error::{Error, Result};
use crate::ops::concat::Concat;
use crate::ops::gather::Gather;
use crate::ops::slice::Slice;
use crate::shape::{axis, numel, strides, unravel};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("GatherElements", &["axis"], gather_elements),
    Operator::new("GatherND", &["batch_dims"], gather_nd),
    Operator::new("Scatter", &["axis"], scatter_elements).host(&[1]),
    Operator::new("ScatterElements", &["axis", "reduction"], scatter_elements).host(&[1]),
    Operator::new("ScatterND", &["reduction"], scatter_nd).host(&[1]),
];

/// The most updates of one element, which are applied one after another.
const MOST_ROUNDS: usize = 16;

/// Indices into an axis.
struct Term {
    indices: Val,
    extent: usize,
    /// Rows from one index to the next.
    stride: usize,
}

/// The numbers of rows, `offset + sum indices stride`, as many as `shape` has elements; negative indices count from the
/// end. Computed indices choose from a list of the rows of their axis, which finds those that are outside.
fn rows(import: &mut Import, terms: Vec<Term>, mut offset: Vec<i64>, shape: &[usize]) -> Result<Val> {
    let mut computed = vec![];
    for Term { indices, extent, stride } in terms {
        if let Some(known) = indices.known() {
            for (sum, k) in offset.iter_mut().zip(known.to_i64s()?) {
                let at = axis(k, extent);
                let at = at.map_err(|_| Error::shape(format!("index {k} is outside an axis of {extent}")))?;
                *sum += (at * stride) as i64;
            }
            continue;
        }
        affordable(import, extent)?;
        let list = (0..extent).map(|k| (k * stride) as i64).collect::<Vec<_>>();
        let indices = import.reshape(&indices, shape)?;
        computed.push(import.apply(Gather { axis: 0 }, &[&Tensor::from(list).into(), &indices])?);
    }
    let mut sum = Val::from(Tensor::of(shape, offset));
    for steps in computed {
        sum = import.binary(BinaryKind::Add, &sum, &steps)?;
    }
    Ok(sum)
}

/// The rows of `x` with these numbers; `x` is seen as rows of `width` elements.
fn pick(import: &mut Import, x: &Val, width: usize, rows: &Val) -> Result<Val> {
    let height = numel(x.shape()).checked_div(width).unwrap_or(0);
    let matrix = import.reshape(x, &[height, width])?;
    let flat = import.reshape(rows, &[numel(rows.shape())])?;
    import.apply(Gather { axis: 0 }, &[&matrix, &flat])
}

/// An error if lists of this many numbers are too much work for an import.
fn affordable(import: &mut Import, numbers: usize) -> Result<()> {
    let text = || format!("lists of {numbers} indices: too large");
    import.affords_work(numbers).then_some(()).ok_or_else(|| Error::unsupported(text()))
}

/// The number of the element that each element of `indices` selects along the node's axis.
fn elements(import: &mut Import, node: &NodeView) -> Result<Val> {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    let along = node.axis(0, x.rank())?;
    let shape = indices.shape();
    if shape.len() != x.rank() || (0..x.rank()).any(|k| k != along && shape[k] > x.shape()[k]) {
        let text = format!(
            "the indices {} do not fit {}: the rank must be equal, only axis {along} may be longer",
            indices.desc(),
            x.desc()
        );
        return Err(Error::shape(text));
    }
    let mut steps = strides(x.shape());
    let stride = std::mem::take(&mut steps[along]);
    let elsewhere = |flat: usize| unravel(flat, shape).iter().zip(&steps).map(|(k, s)| k * s).sum::<usize>() as i64;
    affordable(import, numel(shape))?;
    let offset = (0..numel(shape)).map(elsewhere).collect();
    rows(import, vec![Term { indices: indices.clone(), extent: x.shape()[along], stride }], offset, shape)
}

/// The number of the row that each tuple along the last axis of `indices` selects, and the shape of a row.
fn tuples(import: &mut Import, x: &Val, indices: &Val, batch: usize) -> Result<(Val, Vec<usize>)> {
    let bad = || {
        let (indices, x) = (indices.desc(), x.desc());
        Error::shape(format!("the indices {indices} do not fit {x} ({batch} axes of both are batches)"))
    };
    let Some((&length, lead)) = indices.shape().split_last() else { return Err(bad()) };
    if batch > lead.len() || batch + length > x.rank() || lead[..batch] != x.shape()[..batch] {
        return Err(bad());
    }
    let (outer, row) = x.shape().split_at(batch + length);
    let steps = strides(outer);
    let of_batch = |flat: usize| {
        let index = unravel(flat, lead);
        index[..batch].iter().zip(&steps).map(|(k, s)| k * s).sum::<usize>() as i64
    };
    affordable(import, numel(indices.shape()).max(numel(lead)))?;
    let offset = (0..numel(lead)).map(of_batch).collect();
    let mut terms = vec![];
    for k in 0..length {
        let rank = indices.rank();
        let mut column = Slice { starts: vec![0; rank], steps: vec![1; rank], sizes: indices.shape().to_vec() };
        (column.starts[rank - 1], column.sizes[rank - 1]) = (k as i64, 1);
        let indices = import.apply(column, &[indices])?;
        terms.push(Term { indices, extent: outer[batch + k], stride: steps[batch + k] });
    }
    Ok((rows(import, terms, offset, lead)?, row.to_vec()))
}

/// <https://onnx.ai/onnx/operators/onnx__GatherElements.html>
fn gather_elements(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let numbers = elements(import, node)?;
    let y = pick(import, node.input(0)?, 1, &numbers)?;
    Ok(vec![import.reshape(&y, numbers.shape())?])
}

/// <https://onnx.ai/onnx/operators/onnx__GatherND.html>
fn gather_nd(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    let (numbers, row) = tuples(import, x, indices, node.count("batch_dims", 0)?)?;
    let y = pick(import, x, numel(&row), &numbers)?;
    Ok(vec![import.reshape(&y, &[numbers.shape(), &row].concat())?])
}

/// <https://onnx.ai/onnx/operators/onnx__ScatterElements.html>
fn scatter_elements(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (indices, updates) = (node.input(1)?, node.input(2)?);
    if indices.shape() != updates.shape() {
        return Err(Error::shape(format!("{} updates for {} indices", updates.desc(), indices.desc())));
    }
    let numbers = elements(import, node)?;
    scatter(import, node, 1, &numbers)
}

/// <https://onnx.ai/onnx/operators/onnx__ScatterND.html>
fn scatter_nd(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, indices, updates) = (node.input(0)?, node.input(1)?, node.input(2)?);
    let (numbers, row) = tuples(import, x, indices, 0)?;
    if updates.shape() != [numbers.shape(), &row].concat() {
        return Err(Error::shape(format!("{} updates for {} indices of {}", updates.desc(), indices.desc(), x.desc())));
    }
    scatter(import, node, numel(&row), &numbers)
}

/// Input 0, seen as rows of `width` elements, with the rows of these numbers replaced by, or combined with, those of
/// the third input. If a number occurs twice, the later row is applied to the result of the earlier.
fn scatter(import: &mut Import, node: &NodeView, width: usize, numbers: &Val) -> Result<Vec<Val>> {
    let (x, updates) = (node.input(0)?, node.input(2)?);
    let combine = match node.string("reduction", "none")? {
        "none" => None,
        "add" => Some(BinaryKind::Add),
        "mul" => Some(BinaryKind::Mul),
        "max" => Some(BinaryKind::Maximum),
        "min" => Some(BinaryKind::Minimum),
        other => return Err(Error::unsupported(format!("{} with reduction = {other}", node.op()))),
    };
    let Some(known) = numbers.known() else {
        let (x, indices) = (x.desc(), node.input(1)?.desc());
        let text = format!(
            "{} of {x} needs indices that are known when the network is planned, not {indices} computed on the device",
            node.op()
        );
        return Err(Error::unsupported(text));
    };
    let height = numel(x.shape()).checked_div(width).unwrap_or(0);
    let mut y = x.clone();
    for round in rounds(&known.to_i64s()?)? {
        affordable(import, height + round.len())?;
        let (at, from): (Vec<_>, Vec<_>) = round.into_iter().unzip();
        let mut source: Vec<usize> = (0..height).collect();
        at.iter().enumerate().for_each(|(k, &row)| source[row] = height + k);
        let mut new = pick(import, updates, width, &list(from))?;
        if let Some(f) = combine {
            let old = pick(import, &y, width, &list(at))?;
            new = import.binary(f, &old, &new)?;
        }
        let old = import.reshape(&y, &[height, width])?;
        let both = import.apply(Concat { axis: 0 }, &[&old, &new])?;
        y = pick(import, &both, width, &list(source))?;
    }
    Ok(vec![import.reshape(&y, x.shape())?])
}

fn list(numbers: Vec<usize>) -> Val {
    Tensor::of([numbers.len()], numbers.into_iter().map(|k| k as i64).collect::<Vec<_>>()).into()
}

/// Pairs of a row's number and its update, in rounds in which no row occurs twice.
fn rounds(numbers: &[i64]) -> Result<Vec<Vec<(usize, usize)>>> {
    let mut seen: HashMap<i64, usize> = HashMap::new();
    let mut rounds: Vec<Vec<_>> = vec![];
    for (update, &row) in numbers.iter().enumerate() {
        let before = seen.entry(row).or_default();
        if *before == rounds.len() {
            rounds.push(vec![]);
        }
        rounds[*before].push((row as usize, update));
        *before += 1;
    }
    match rounds.len() {
        n if n > MOST_ROUNDS => {
            Err(Error::unsupported(format!("{n} updates of one element (at most {MOST_ROUNDS} are supported)")))
        }
        _ => Ok(rounds),
    }
}

#[cfg(test)]
mod tests {
    use super::rounds;

    #[test]
    fn updates_of_one_row_are_apart() {
        assert_eq!(rounds(&[2, 0, 2]).unwrap(), [vec![(2, 0), (0, 1)], vec![(2, 2)]]);
        assert!(rounds(&[]).unwrap().is_empty());
        assert!(rounds(&[1; 17]).is_err());
    }
}

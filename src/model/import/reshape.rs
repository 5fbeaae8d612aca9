//! Reshape, Flatten, Squeeze, Unsqueeze: the same elements under another shape.

use super::node_view::axes;
use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Reshape", &["allowzero", "shape"], reshape).host(&[1]),
    Operator::new("Flatten", &["axis"], flatten),
    Operator::new("Squeeze", &["axes"], squeeze).host(&[1]),
    Operator::new("Unsqueeze", &["axes"], unsqueeze).host(&[1]),
];

/// <https://onnx.ai/onnx/operators/onnx__Reshape.html>
fn reshape(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let wanted = node.ints_or_host("shape", 1)?.ok_or_else(|| Error::file("Reshape lacks its shape"))?;
    let shape = resolve(x.shape(), &wanted, node.flag("allowzero", false)?)?;
    Ok(vec![import.reshape(x, &shape)?])
}

/// The shape meant by `wanted`: 0 copies the extent of `from` at that position (unless `allow_zero`), one -1 is
/// computed from the rest.
fn resolve(from: &[usize], wanted: &[i64], allow_zero: bool) -> Result<Vec<usize>> {
    let bad = || Error::shape(format!("{from:?} cannot be reshaped to {wanted:?}"));
    let extent = |(k, &n): (usize, &i64)| match n {
        -1 => Ok(None),
        0 if !allow_zero => from.get(k).map(|&n| Some(n)).ok_or_else(bad),
        n => usize::try_from(n).map(Some).map_err(|_| bad()),
    };
    let extents = wanted.iter().enumerate().map(extent).collect::<Result<Vec<_>>>()?;
    let rest = extents.iter().flatten().try_fold(1usize, |a, &b| a.checked_mul(b)).ok_or_else(bad)?;
    let total: usize = from.iter().product();
    let open = extents.iter().filter(|e| e.is_none()).count();
    if open > 1 || (open == 1 && (rest == 0 || !total.is_multiple_of(rest))) || (open == 0 && rest != total) {
        return Err(bad());
    }
    Ok(extents.into_iter().map(|e| e.unwrap_or_else(|| total / rest)).collect())
}

/// <https://onnx.ai/onnx/operators/onnx__Flatten.html>
fn flatten(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axis = match node.int("axis", 1)? {
        axis if axis == x.rank() as i64 => x.rank(),
        _ => node.axis(1, x.rank())?,
    };
    let (rows, columns) = x.shape().split_at(axis);
    let shape = [rows.iter().product(), columns.iter().product()];
    Ok(vec![import.reshape(x, &shape)?])
}

/// <https://onnx.ai/onnx/operators/onnx__Squeeze.html>
fn squeeze(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let gone = match node.ints_or_host("axes", 1)? {
        Some(list) => axes(&list, x.rank())?,
        None => (0..x.rank()).filter(|&k| x.shape()[k] == 1).collect(),
    };
    if let Some(k) = gone.iter().find(|&&k| x.shape()[k] != 1) {
        return Err(Error::shape(format!("axis {k} of {:?} is not 1", x.shape())));
    }
    let kept = x.shape().iter().enumerate().filter(|(k, _)| !gone.contains(k));
    let shape: Vec<_> = kept.map(|(_, &n)| n).collect();
    Ok(vec![import.reshape(x, &shape)?])
}

/// <https://onnx.ai/onnx/operators/onnx__Unsqueeze.html>
fn unsqueeze(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let list = node.ints_or_host("axes", 1)?.ok_or_else(|| Error::file("Unsqueeze lacks its axes"))?;
    let rank = x.rank() + list.len();
    let new = axes(&list, rank)?;
    let mut old = x.shape().iter();
    let extent = |k: usize| if new.contains(&k) { Some(1) } else { old.next().copied() };
    let shape: Vec<_> = (0..rank).filter_map(extent).collect();
    Ok(vec![import.reshape(x, &shape)?])
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn zeros_copy_and_minus_one_takes_the_rest() {
        assert_eq!(resolve(&[2, 3, 4], &[0, -1], false).unwrap(), [2, 12]);
        assert_eq!(resolve(&[0, 3, 4], &[3, 4, 0], true).unwrap(), [3, 4, 0]);
        assert_eq!(resolve(&[], &[-1], false).unwrap(), [1]);
        assert_eq!(resolve(&[1], &[], false).unwrap(), Vec::<usize>::new());
        for bad in [&[-1, -1][..], &[5, -1], &[-2, 12], &[24, 2], &[i64::MAX, i64::MAX]] {
            assert!(resolve(&[2, 3, 4], bad, false).is_err(), "{bad:?}");
        }
        assert!(resolve(&[0, 3], &[0, -1], false).is_err());
    }
}

//! Attention: `softmax(scale q k' + mask) v`, a head at a time, for whatever operators are added to.

use super::assemble::Assemble;
use crate::attr::{BinaryKind, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::binary::Binary;
use crate::ops::matmul::MatMul;
use crate::ops::reduce::Reduce;
use crate::ops::select::Where;
use crate::ops::softmax::Softmax;
use crate::shape::broadcast;
use crate::tensor::Tensor;

/// Where a score is left out.
pub(crate) const NEVER: f32 = f32::NEG_INFINITY;

/// Queries, keys and values, each `[batch, heads, steps, size]`. A head of the keys and values serves as many heads of the
/// queries, which follow each other, as there are more of these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads<V> {
    pub q: V,
    pub k: V,
    pub v: V,
}

impl<V: Clone> Heads<V> {
    /// The inputs, if they fit each other.
    pub fn new<A: Assemble<Value = V>>(to: &A, q: V, k: V, v: V) -> Result<Heads<V>> {
        let [qs, ks, vs] = [to.extents(&q)?, to.extents(&k)?, to.extents(&v)?];
        let fits = || {
            let (&[b, heads, _, size], &[kb, kv, steps, ksize]) = (&qs[..], &ks[..]) else { return false };
            let groups = kv > 0 && heads % kv == 0;
            kb == b && ksize == size && groups && vs.len() == 4 && vs[..3] == [b, kv, steps]
        };
        match fits() {
            true => Ok(Heads { q, k, v }),
            false => Err(Error::shape(format!(
                "attention of q {qs:?}, k {ks:?}, v {vs:?}: they do not fit as [batch, heads, steps, size]"
            ))),
        }
    }

    /// `[batch, heads, queries, last]` with the heads of one head of the keys behind each other.
    fn grouped<A: Assemble<Value = V>>(&self, to: &mut A, x: &V) -> Result<V> {
        let (&[b, heads, steps, last], kv) = (&to.extents(x)?[..], to.extents(&self.k)?[1]) else {
            unreachable!("it has four axes")
        };
        to.see_as(x, &[b, kv, heads / kv * steps, last])
    }

    /// `scale q k'`, `[batch, heads, queries, keys]`. The scale is 1 over the square root of the size unless it is given.
    pub fn scores<A: Assemble<Value = V>>(&self, to: &mut A, scale: Option<f32>) -> Result<V> {
        let (&[b, heads, steps, size], keys) = (&to.extents(&self.q)?[..], to.extents(&self.k)?[2]) else {
            unreachable!("it has four axes")
        };
        let q = scaled(to, &self.q, scale.unwrap_or(1.0 / (size as f32).sqrt()))?;
        let q = self.grouped(to, &q)?;
        let columns = to.reorder(&self.k, &[0, 1, 3, 2])?;
        let scores = to.add_op(MatMul, &[&q, &columns])?;
        to.see_as(&scores, &[b, heads, steps, keys])
    }

    /// `weights v`, `[batch, heads, queries, size of v]`.
    pub fn weighted<A: Assemble<Value = V>>(&self, to: &mut A, weights: &V) -> Result<V> {
        let (&[b, heads, steps, _], size) = (&to.extents(&self.q)?[..], to.extents(&self.v)?[3]) else {
            unreachable!("it has four axes")
        };
        let y = self.grouped(to, weights)?;
        let y = to.add_op(MatMul, &[&y, &self.v])?;
        to.see_as(&y, &[b, heads, steps, size])
    }
}

/// `factor x`
fn scaled<A: Assemble>(to: &mut A, x: &A::Value, factor: f32) -> Result<A::Value> {
    if factor == 1.0 {
        return Ok(x.clone());
    }
    let factor = to.fixed("scale", Tensor::scalar(factor))?;
    to.add_op(Binary(BinaryKind::Mul), &[x, &factor])
}

/// What is added to the scores: the sum of `numbers`, and minus infinity where one of `allowed` does not hold. `None` if there
/// are neither.
pub(crate) fn bias<A: Assemble>(
    to: &mut A,
    allowed: Vec<A::Value>,
    numbers: Vec<A::Value>,
) -> Result<Option<A::Value>> {
    let mut all = joined(to, BinaryKind::And, allowed)?;
    if let Some(allowed) = all {
        let [free, never] = [to.fixed("allowed", Tensor::scalar(0.0))?, to.fixed("never", Tensor::scalar(NEVER))?];
        all = Some(to.add_op(Where, &[&allowed, &free, &never])?);
    }
    joined(to, BinaryKind::Add, numbers.into_iter().chain(all).collect())
}

/// All values by a function of two.
fn joined<A: Assemble>(to: &mut A, f: BinaryKind, values: Vec<A::Value>) -> Result<Option<A::Value>> {
    let mut values = values.into_iter();
    let Some(first) = values.next() else { return Ok(None) };
    values.try_fold(first, |all, one| to.add_op(Binary(f), &[&all, &one])).map(Some)
}

/// The scores with the bias, which must broadcast to them.
pub(crate) fn biased<A: Assemble>(to: &mut A, scores: &A::Value, bias: &A::Value) -> Result<A::Value> {
    let [wanted, mask] = [to.extents(scores)?, to.extents(bias)?];
    match broadcast(&mask, &wanted).is_ok_and(|shape| shape == wanted) {
        true => to.add_op(Binary(BinaryKind::Add), &[scores, bias]),
        false => Err(Error::shape(format!("attention with a mask {mask:?} for the scores {wanted:?}"))),
    }
}

/// Which queries are allowed no key by this bias.
pub(crate) fn without_keys<A: Assemble>(to: &mut A, bias: &A::Value) -> Result<A::Value> {
    let axes = vec![to.extents(bias)?.len() - 1];
    let largest = to.add_op(Reduce { axes, keep_dims: true, kind: ReduceKind::Max }, &[bias])?;
    let never = to.fixed("never", Tensor::scalar(NEVER))?;
    to.add_op(Binary(BinaryKind::Equal), &[&largest, &never])
}

/// The weights of the values: 0 for the queries `without` keys, whose softmax is NaN.
pub(crate) fn weights<A: Assemble>(to: &mut A, scores: &A::Value, without: Option<&A::Value>) -> Result<A::Value> {
    let weights = to.add_op(Softmax { axis: 3, log: false }, &[scores])?;
    let Some(without) = without else { return Ok(weights) };
    let zero = to.fixed("zero", Tensor::scalar(0.0))?;
    to.add_op(Where, &[without, &zero, &weights])
}

/// `[a, b, heads * size]` as `[batch, heads, steps, size]`; the batch is the first axis or the second.
pub(crate) fn split_heads<A: Assemble>(to: &mut A, x: &A::Value, heads: usize, batch_first: bool) -> Result<A::Value> {
    let shape = to.extents(x)?;
    let &[a, b, width] = &shape[..] else {
        return Err(Error::shape(format!("{shape:?} in {heads} heads: it takes three axes")));
    };
    if heads == 0 || width % heads != 0 {
        return Err(Error::shape(format!("{shape:?} in {heads} heads: they must divide the last axis")));
    }
    let apart = to.see_as(x, &[a, b, heads, width / heads])?;
    to.reorder(&apart, if batch_first { &[0, 2, 1, 3] } else { &[1, 2, 0, 3] })
}

/// `[batch, heads, steps, size]` as `[a, b, heads * size]`: the reverse of [`split_heads`].
pub(crate) fn joined_heads<A: Assemble>(to: &mut A, x: &A::Value, batch_first: bool) -> Result<A::Value> {
    let &[b, heads, steps, size] = &to.extents(x)?[..] else { unreachable!("it has four axes") };
    let apart = to.reorder(x, if batch_first { &[0, 2, 1, 3] } else { &[2, 0, 1, 3] })?;
    let lead = if batch_first { [b, steps] } else { [steps, b] };
    to.see_as(&apart, &[lead[0], lead[1], heads * size])
}

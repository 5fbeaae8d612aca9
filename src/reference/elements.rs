//! Reordering the elements of a tensor of any type.

use rayon::prelude::*;

use crate::shape::{numel, strides, unravel};
use crate::tensor::{Data, Elements, Tensor, for_each_type};

/// The tensor of this shape whose flat element i is flat element `source(i)` of `x`.
pub fn pick(x: &Tensor, shape: &[usize], source: impl Fn(usize) -> usize + Sync) -> Tensor {
    fn take<T: Elements>(x: &[T], count: usize, source: impl Fn(usize) -> usize + Sync) -> Data {
        T::wrap((0..count).into_par_iter().map(|i| x[source(i)]).collect())
    }
    let count = numel(shape);
    Tensor::of(shape, for_each_type!(x.data(), v => take(v, count, source)))
}

/// The tensor of this shape whose element at an index is element `source(index)` of `x`.
pub fn pick_at(x: &Tensor, shape: &[usize], source: impl Fn(&[usize]) -> Vec<usize> + Sync) -> Tensor {
    let own = strides(x.shape());
    pick(x, shape, |i| source(&unravel(i, shape)).iter().zip(&own).map(|(k, s)| k * s).sum())
}

/// `x` repeated along its axes of extent 1 and along new leading axes, so that it has this shape.
pub fn broadcast(x: &Tensor, shape: &[usize]) -> Tensor {
    if x.shape() == shape {
        return x.clone();
    }
    let lead = shape.len() - x.shape().len();
    let within = |(&k, &d): (&usize, &usize)| if d == 1 { 0 } else { k };
    pick_at(x, shape, |at| at[lead..].iter().zip(x.shape()).map(within).collect())
}

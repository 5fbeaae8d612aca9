//! Tensors concatenated along an axis, and split again.

use super::elements::{pick, pick_at};
use crate::shape::{DType, numel, unravel};
use crate::tensor::{Data, Elements, Tensor, for_dtype};

/// The concatenation along `axis` of tensors of one type that agree in every other axis.
pub fn concat(parts: &[Tensor], axis: usize) -> Tensor {
    let mut shape = parts[0].shape().to_vec();
    shape[axis] = parts.iter().map(|t| t.shape()[axis]).sum();
    // The offset of each part in the joined elements.
    let starts: Vec<usize> = parts.iter().scan(0, |at, t| Some(std::mem::replace(at, *at + t.numel()))).collect();
    let flat = |i: usize| {
        let mut index = unravel(i, &shape);
        let mut k = 0;
        while index[axis] >= parts[k].shape()[axis] {
            index[axis] -= parts[k].shape()[axis];
            k += 1;
        }
        starts[k] + index.iter().zip(parts[k].shape()).fold(0, |at, (i, extent)| at * extent + i)
    };
    pick(&join(parts), &shape, flat)
}

/// The parts of these extents along `axis`.
pub fn split(x: &Tensor, axis: usize, sizes: &[usize]) -> Vec<Tensor> {
    let mut first = 0;
    let mut parts = vec![];
    for &size in sizes {
        let mut shape = x.shape().to_vec();
        shape[axis] = size;
        let source = |at: &[usize]| {
            let mut at = at.to_vec();
            at[axis] += first;
            at
        };
        parts.push(pick_at(x, &shape, source));
        first += size;
    }
    parts
}

/// The elements of tensors of one type as one flat tensor.
pub fn join(parts: &[Tensor]) -> Tensor {
    fn all<T: Elements>(parts: &[Tensor]) -> Data {
        let slices = parts.iter().map(|t| &T::shared(t.data()).expect("the shape rule checked the types")[..]);
        T::wrap(slices.collect::<Vec<_>>().concat())
    }
    let data = for_dtype!(parts[0].dtype(), T => all::<T>(parts));
    Tensor::of([parts.iter().map(|t| numel(t.shape())).sum::<usize>()], data)
}

//! Tensors concatenated along an axis, and split again.

use super::elements::{pick, strided};
use crate::shape::{DType, numel, strides};
use crate::tensor::{Data, Elements, Tensor, for_dtype};

/// The concatenation along `axis` of tensors of one type that agree in every other axis.
pub fn concat(parts: &[Tensor], axis: usize) -> Tensor {
    let mut shape = parts[0].shape().to_vec();
    shape[axis] = parts.iter().map(|t| t.shape()[axis]).sum();
    // The offset of each part in the joined elements.
    let starts: Vec<usize> = parts.iter().scan(0, |at, t| Some(std::mem::replace(at, *at + t.numel()))).collect();
    let (extent, run) = (shape[axis], numel(&shape[axis + 1..]));
    let source = |i: usize| {
        let (outer, mut index, mut k) = (i / extent, i % extent, 0);
        while index >= parts[k].shape()[axis] {
            index -= parts[k].shape()[axis];
            k += 1;
        }
        starts[k] + (outer * parts[k].shape()[axis] + index) * run
    };
    pick(&join(parts), &shape, run, source)
}

/// The parts of these extents along `axis`.
pub fn split(x: &Tensor, axis: usize, sizes: &[usize]) -> Vec<Tensor> {
    let own: Vec<_> = strides(x.shape()).into_iter().map(|s| s as isize).collect();
    let mut first = 0;
    let mut parts = vec![];
    for &size in sizes {
        let mut shape = x.shape().to_vec();
        shape[axis] = size;
        parts.push(strided(x, &shape, &own, first * own[axis] as usize));
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

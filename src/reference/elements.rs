//! Reordering the elements of a tensor of any type.

use crate::parallel;
use crate::shape::{broadcast_strides, merge_axes, numel};
use crate::tensor::{Data, Elements, Tensor, for_each_type};

/// Rows that are copied together where neighbours in a row are not neighbours in the source: these may be so along a column.
const ROWS: usize = 64;

/// The tensor of this shape whose flat elements from `i run` on, `run` of them, are those of `x` from `source(i)` on.
pub fn pick(x: &Tensor, shape: &[usize], run: usize, source: impl Fn(usize) -> usize + Sync) -> Tensor {
    fn take<T: Elements>(x: &[T], count: usize, run: usize, source: impl Fn(usize) -> usize + Sync) -> Data {
        let mut out = vec![T::default(); count];
        parallel::chunks(&mut out, run, |i, out| out.copy_from_slice(&x[source(i)..][..run]));
        T::wrap(out)
    }
    Tensor::of(shape, for_each_type!(x.data(), v => take(v, numel(shape), run, source)))
}

/// The tensor of this shape whose element at an index is element `first + sum of index[i] strides[i]` of `x`.
pub fn strided(x: &Tensor, shape: &[usize], strides: &[isize], first: usize) -> Tensor {
    fn take<T: Elements>(x: &[T], dims: &[usize], strides: &[isize], first: usize) -> Data {
        let mut out = vec![T::default(); numel(dims)];
        let (Some((&n, rows)), Some((&step, lead))) = (dims.split_last(), strides.split_last()) else {
            return T::wrap(vec![x[first]]);
        };
        let start = |mut row: usize| {
            let mut at = first as isize;
            for (&extent, &stride) in rows.iter().zip(lead).rev() {
                at += (row % extent) as isize * stride;
                row /= extent;
            }
            at
        };
        parallel::chunks(&mut out, ROWS * n, |block, out| {
            let starts = (block * ROWS..).take(out.len() / n).map(start);
            if step == 1 {
                out.chunks_exact_mut(n).zip(starts).for_each(|(row, at)| row.copy_from_slice(&x[at as usize..][..n]));
                return;
            }
            let starts: Vec<isize> = starts.collect();
            for k in 0..n {
                for (row, at) in starts.iter().enumerate() {
                    out[row * n + k] = x[(at + k as isize * step) as usize];
                }
            }
        });
        T::wrap(out)
    }
    if numel(shape) == 0 {
        return pick(x, shape, 1, |i| i);
    }
    let (dims, mut merged) = merge_axes(shape, &[strides.to_vec()]);
    Tensor::of(shape, for_each_type!(x.data(), v => take(v, &dims, &merged.remove(0), first)))
}

/// `x` repeated along its axes of extent 1 and along new leading axes, so that it has this shape.
pub fn broadcast(x: &Tensor, shape: &[usize]) -> Tensor {
    if x.shape() == shape {
        return x.clone();
    }
    let strides: Vec<_> = broadcast_strides(x.shape(), shape).into_iter().map(|s| s as isize).collect();
    strided(x, shape, &strides, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::unravel;

    #[test]
    fn strided_elements_are_those_of_the_index() {
        let x = Tensor::of([4 * 5 * 6 * 7], (0..4 * 5 * 6 * 7).collect::<Vec<i32>>());
        let cases: [(&[usize], &[isize], usize); 7] = [
            (&[7, 6, 5, 4], &[1, 7, 42, 210], 0),
            (&[20, 42], &[42, 1], 0),
            (&[42, 20], &[1, 42], 0),
            (&[3, 2, 50], &[-200, 0, -1], 800),
            (&[33, 1, 2], &[2, 9, 0], 1),
            (&[], &[], 5),
            (&[3, 0], &[1, 1], 0),
        ];
        for (shape, strides, first) in cases {
            let at = |i: usize| {
                let index = unravel(i, shape);
                first as isize + index.iter().zip(strides).map(|(&k, s)| k as isize * s).sum::<isize>()
            };
            let expected: Vec<_> = (0..numel(shape)).map(|i| at(i) as i32).collect();
            assert_eq!(strided(&x, shape, strides, first), Tensor::of(shape, expected), "{shape:?}");
        }
    }
}

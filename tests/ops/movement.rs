//! Operators that only move elements: permute, expand, slice, tile, reshape.

use convgpu::custom::Op;
use convgpu::internals::ops::expand::Expand;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::ops::reshape::Reshape;
use convgpu::internals::ops::slice::Slice;
use convgpu::internals::ops::tile::Tile;
use convgpu::{DType, Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden};

fn permute(shape: &[usize], order: &[usize]) {
    check(Permute { order: order.to_vec() }, &[Rng(1).tensor(shape)], true);
}

#[test]
fn permute_is_exact() {
    permute(&[3, 5], &[1, 0]);
    permute(&[33, 17], &[1, 0]);
    // Several tiles per axis, and several matrices.
    permute(&[3, 70, 45], &[0, 2, 1]);
    permute(&[2, 19, 5, 7], &[0, 2, 3, 1]);
    permute(&[2, 5, 7, 19], &[0, 3, 1, 2]);
    permute(&[2, 3, 4, 5, 6, 7], &[5, 3, 1, 4, 2, 0]);
    permute(&[2, 3, 4], &[0, 1, 2]);
    permute(&[1, 3, 1, 4], &[2, 1, 3, 0]);
    permute(&[2, 0, 4], &[2, 1, 0]);
    permute(&[], &[]);
}

#[test]
fn permute_of_other_types() {
    let ints = Tensor::new([2, 3], vec![1i64, -2, 3, 4, 5, -6]).unwrap();
    check(Permute { order: vec![1, 0] }, &[ints], true);
    let bools = Tensor::new([3, 1, 2], vec![true, false, false, false, true, true]).unwrap();
    check(Permute { order: vec![2, 0, 1] }, &[bools], true);
}

#[test]
fn permute_says_where_a_reshape_would_do() {
    assert!(Permute { order: vec![2, 0, 1, 3] }.only_moves_ones(&[3, 4, 1, 5]));
    assert!(!Permute { order: vec![1, 0] }.only_moves_ones(&[3, 4]));
}

#[test]
fn expand_is_exact() {
    let cases: [(&[usize], &[usize]); 6] = [
        (&[3, 1, 5], &[2, 3, 4, 5]),
        (&[], &[2, 3]),
        (&[1], &[7]),
        (&[2, 3], &[2, 3]),
        (&[2, 1, 3, 1], &[2, 5, 3, 7]),
        (&[1, 3], &[0, 3]),
    ];
    for (from, to) in cases {
        check(Expand { shape: to.to_vec() }, &[Rng(2).tensor(from)], true);
    }
}

#[test]
fn slice_is_exact() {
    let x = Rng(3).tensor(&[4, 7, 5, 6]);
    let cases: [([i64; 4], [i64; 4], [usize; 4]); 5] = [
        ([0, 0, 0, 0], [1, 1, 1, 1], [4, 7, 5, 6]),
        ([1, 2, 0, 3], [1, 2, 1, 1], [2, 3, 5, 2]),
        ([3, 6, 4, 5], [-1, -2, -4, -1], [4, 4, 2, 6]),
        ([2, 3, 1, 5], [1, 9, -9, 1], [1, 1, 1, 1]),
        ([0, 0, 9, 0], [1, 1, 1, 1], [4, 7, 0, 6]),
    ];
    for (starts, steps, sizes) in cases {
        let op = Slice { starts: starts.to_vec(), steps: steps.to_vec(), sizes: sizes.to_vec() };
        check(op, std::slice::from_ref(&x), true);
    }
}

#[test]
fn tile_is_exact() {
    let cases: [(&[usize], &[usize]); 5] = [
        (&[2, 3], &[2, 3]),
        (&[2, 3, 2, 5], &[2, 3, 2, 2]),
        (&[3, 4, 5], &[1, 2, 1]),
        (&[5], &[1]),
        (&[2, 3], &[0, 2]),
    ];
    for (shape, repeats) in cases {
        check(Tile { repeats: repeats.to_vec() }, &[Rng(4).tensor(shape)], true);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = Desc::new([2, 3], DType::I64);
    assert!(Permute { order: vec![0, 0] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Permute { order: vec![0] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Expand { shape: vec![3] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Expand { shape: vec![2, 4] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Tile { repeats: vec![2] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Tile { repeats: vec![usize::MAX, 1] }.outputs(std::slice::from_ref(&x)).is_err());
    let slice = |starts: [i64; 2], steps: [i64; 2], sizes: [usize; 2]| {
        Slice { starts: starts.to_vec(), steps: steps.to_vec(), sizes: sizes.to_vec() }
            .outputs(std::slice::from_ref(&x))
    };
    assert!(slice([0, 1], [1, 1], [2, 3]).is_err());
    assert!(slice([-1, 0], [1, 1], [1, 3]).is_err());
    assert!(slice([1, 0], [-1, i64::MAX], [2, 2]).is_err());
    assert!(slice([1, 0], [-1, 2], [2, 2]).is_ok());
}

pub fn pytorch_permute(case: &Case) {
    let x = case.tensor("x");
    let rank = x.shape().len();
    let order = match case.op.as_str() {
        "permute" => case.axes("dims", rank),
        _ => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(case.axis("dim0", rank), case.axis("dim1", rank));
            order
        }
    };
    check_golden(case, Permute { order }, &case.input_tensors(), &case.out());
}

/// -1 keeps the extent.
pub fn pytorch_expand(case: &Case) {
    let (x, size) = (case.tensor("x").shape(), case.signed_list("size"));
    let lead = size.len() - x.len();
    let extent = |(axis, &n): (usize, &i64)| if n < 0 { x[axis - lead] } else { n as usize };
    let op = Expand { shape: size.iter().enumerate().map(extent).collect() };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

pub fn pytorch_narrow(case: &Case) {
    let x = case.tensor("x").shape();
    let (axis, start) = (case.axis("dim", x.len()), case.i64("start"));
    let (mut starts, mut sizes) = (vec![0; x.len()], x.to_vec());
    starts[axis] = if start < 0 { x[axis] as i64 + start } else { start };
    sizes[axis] = case.usize("length");
    let op = Slice { starts, steps: vec![1; x.len()], sizes };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

/// Fewer repeats than axes are for the last axes; a tensor with fewer axes gets axes of extent 1 in front.
pub fn pytorch_tile(case: &Case) {
    let (x, dims) = (case.tensor("x"), case.list("dims"));
    let rank = dims.len().max(x.shape().len());
    let with_ones = |list: &[usize]| [&vec![1; rank - list.len()], list].concat();
    let x = x.reshape(with_ones(x.shape())).unwrap();
    check_golden(case, Tile { repeats: with_ones(&dims) }, &[x], &case.out());
}

/// `flatten` and `reshape`: the shape is that of PyTorch's result, and the order of the elements is checked.
pub fn pytorch_reshape(case: &Case) {
    let op = Reshape { shape: case.tensor("out").shape().to_vec() };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

//! Operators that only move elements: permute, expand, slice, tile.

use convgpu::custom::Op;
use convgpu::internals::ops::expand::Expand;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::ops::slice::Slice;
use convgpu::internals::ops::tile::Tile;
use convgpu::{DType, Desc, Tensor};

use crate::support::{Rng, check};

fn permute(shape: &[usize], order: &[usize]) {
    check(Permute { order: order.to_vec() }, &[Rng(1).tensor(shape)], true);
}

#[test]
fn permute_is_exact() {
    permute(&[3, 5], &[1, 0]);
    permute(&[33, 17], &[1, 0]);
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

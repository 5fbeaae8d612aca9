use convgpu::custom::Op;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::split::Split;
use convgpu::{DType, Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden};

/// Whole shape, axis, extents of the parts.
const CASES: &[(&[usize], usize, &[usize])] = &[
    (&[2, 12, 3, 5], 1, &[4, 8]),
    (&[2, 15, 3, 5], 1, &[4, 8, 3]),
    (&[2, 9, 3, 5], 1, &[4, 3, 2]),
    (&[2, 6, 4, 2], 1, &[1, 5]),
    (&[5, 6, 4, 3], 0, &[2, 3]),
    (&[2, 6, 7, 3], 2, &[3, 0, 4]),
    (&[2, 6, 3, 7], 3, &[1, 6]),
    (&[2, 3, 8], 2, &[4, 4]),
    (&[3, 7], 1, &[4, 3]),
    (&[7], 0, &[3, 4]),
    (&[2, 3, 0], 1, &[1, 2]),
    (&[3, 4], 0, &[3]),
];

fn parts(rng: &mut Rng, shape: &[usize], axis: usize, sizes: &[usize]) -> Vec<Tensor> {
    let mut part = |&size: &usize| {
        let mut shape = shape.to_vec();
        shape[axis] = size;
        rng.integers(&shape)
    };
    sizes.iter().map(&mut part).collect()
}

#[test]
fn concat_is_exact() {
    let mut rng = Rng(1);
    for (shape, axis, sizes) in CASES {
        check(Concat { axis: *axis }, &parts(&mut rng, shape, *axis, sizes), true);
    }
}

#[test]
fn split_is_exact() {
    let mut rng = Rng(2);
    for (shape, axis, sizes) in CASES {
        check(Split { axis: *axis, sizes: sizes.to_vec() }, &[rng.integers(shape)], true);
    }
}

#[test]
fn split_undoes_concat() {
    let mut rng = Rng(3);
    for (shape, axis, sizes) in CASES {
        let parts = parts(&mut rng, shape, *axis, sizes);
        let whole = Concat { axis: *axis }.reference(&parts).unwrap();
        assert_eq!(whole[0].shape(), *shape);
        assert!(Split { axis: *axis, sizes: sizes.to_vec() }.reference(&whole).unwrap() == parts);
    }
}

#[test]
fn one_tensor_may_come_twice() {
    let x = Rng(4).integers(&[2, 4, 3]);
    check(Concat { axis: 1 }, &[x.clone(), x], true);
}

#[test]
fn integers_and_booleans() {
    let ints = Tensor::new([2, 3], vec![1i64, -2, 3, 4, 5, -6]).unwrap();
    check(Concat { axis: 1 }, &[ints.clone(), ints], true);
    let bools = Tensor::new([2, 2], vec![true, false, true, true]).unwrap();
    check(Split { axis: 1, sizes: vec![1, 1] }, &[bools], true);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = Desc::f32([2, 3]);
    assert!(Concat { axis: 2 }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Concat { axis: 0 }.outputs(&[]).is_err());
    assert!(Concat { axis: 0 }.outputs(&[x.clone(), Desc::f32([2, 4])]).is_err());
    assert!(Concat { axis: 0 }.outputs(&[x.clone(), Desc::new([2, 3], DType::I32)]).is_err());
    assert!(Split { axis: 1, sizes: vec![1, 1] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Split { axis: 1, sizes: vec![] }.outputs(std::slice::from_ref(&x)).is_err());
    assert!(Split { axis: 1, sizes: vec![usize::MAX, 4] }.outputs(&[x]).is_err());
}

pub fn pytorch_cat(case: &Case) {
    let parts = case.input_tensors();
    let axis = case.axis("dim", parts[0].shape().len());
    check_golden(case, Concat { axis }, &parts, &case.out());
}

pub fn pytorch_split(case: &Case) {
    let x = case.tensor("x");
    let axis = case.axis("dim", x.shape().len());
    let parts: Vec<_> = case.outputs.iter().map(|role| case.tensor(role).clone()).collect();
    // `sizes` may be one number, that of every part but the last.
    let op = Split { axis, sizes: parts.iter().map(|part| part.shape()[axis]).collect() };
    check_golden(case, op, &case.input_tensors(), &parts);
}

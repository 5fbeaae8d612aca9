use convgpu::custom::Op;
use convgpu::internals::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use convgpu::{Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn norms_within_bounds() {
    let cases: [(usize, &[usize]); 6] =
        [(0, &[5]), (1, &[3, 7]), (1, &[2, 70, 3]), (0, &[3, 5]), (3, &[2, 3, 4, 200]), (1, &[2, 1, 3])];
    for (axis, shape) in cases {
        for p in [1, 2] {
            check(LpNormalize { axis, p }, &[Rng(axis as u64).tensor(shape)], false);
        }
    }
    let x = Tensor::new([2, 3], vec![0.0, 0.0, 0.0, 3.0, 0.0, -4.0]).unwrap();
    let y = LpNormalize { axis: 1, p: 2 }.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    assert_eq!(y.as_f32().unwrap(), [0.0, 0.0, 0.0, 0.6, 0.0, -0.8]);
    check(LpNormalize { axis: 1, p: 2 }, &[x], false);
    for shape in [[0, 3], [3, 0]] {
        check(LpNormalize { axis: 1, p: 1 }, &[Tensor::zeros(shape)], true);
    }
    assert!(LpNormalize { axis: 1, p: 3 }.outputs(&[Desc::f32([2, 3])]).is_err());
    assert!(LpNormalize { axis: 2, p: 1 }.outputs(&[Desc::f32([2, 3])]).is_err());
}

#[test]
fn mean_and_variance_within_bounds() {
    let cases: [(&[usize], &[usize]); 8] = [
        (&[0, 2, 3], &[3, 5, 4, 7]),
        (&[2, 3], &[3, 5, 6, 7]),
        (&[0, 2, 3], &[2, 1, 40, 70]),
        (&[0, 1, 2], &[2, 3, 4]),
        (&[0], &[7, 5]),
        (&[1], &[3, 9]),
        (&[2, 0], &[2, 3, 4, 1]),
        (&[1], &[3, 4, 1]),
    ];
    for (axes, shape) in cases {
        let op = MeanVarianceNormalize { axes: axes.to_vec(), eps: 1e-9 };
        check(op, &[Rng(axes.len() as u64).tensor(shape)], false);
    }
    let op = |axes: &[usize]| MeanVarianceNormalize { axes: axes.to_vec(), eps: 1e-9 };
    check(op(&[0, 2]), &[Tensor::zeros([2, 3, 0])], true);
    assert!(op(&[1]).outputs(&[Desc::f32([2, 3, 4])]).is_err());
    assert!(op(&[3]).outputs(&[Desc::f32([2, 3, 4])]).is_err());
}

/// PyTorch divides by `max(norm, eps)`: the operator is that of an eps smaller than any norm but 0.
pub fn pytorch(case: &Case) {
    let op = LpNormalize { axis: case.axis("dim", case.tensor("x").shape().len()), p: case.usize("p") };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::ops::layer_norm::LayerNorm;

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn random_cases_within_bounds() {
    let cases: [(usize, &[usize]); 9] = [
        (1, &[3, 2, 2060]),
        (1, &[5, 7]),
        (2, &[3, 4, 5]),
        (3, &[2, 3, 4, 5]),
        (1, &[2, 3, 784]),
        (2, &[4, 67, 65]),
        (1, &[3, 1]),
        (0, &[3, 2]),
        (1, &[9]),
    ];
    for (axes, shape) in cases {
        for stats in [false, true] {
            let rng = &mut Rng(axes as u64);
            let op = LayerNorm { axes, eps: 1e-5, stats };
            let trailing = &shape[shape.len() - axes..];
            check(op.clone(), &[rng.tensor(shape)], false);
            check(op.clone(), &[rng.tensor(shape), rng.tensor(trailing)], false);
            check(op, &[rng.tensor(shape), rng.tensor(trailing), rng.tensor(trailing)], false);
        }
    }
}

#[test]
fn empty_tensors() {
    let op = |stats| LayerNorm { axes: 1, eps: 1e-5, stats };
    check(op(false), &[Tensor::zeros([2, 0])], true);
    check(op(true), &[Tensor::zeros([0, 3])], true);
    assert!(op(true).outputs(&[Tensor::zeros([2, 0]).desc()]).is_err());
    assert!(LayerNorm { axes: 3, ..op(false) }.outputs(&[Tensor::zeros([2, 3]).desc()]).is_err());
}

pub fn pytorch(case: &Case) {
    let op = LayerNorm { axes: case.list("normalized_shape").len(), eps: case.f32("eps"), stats: false };
    check_golden(case, op, &case.with_affine(), &case.out());
}

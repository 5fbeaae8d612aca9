use convgpu::Tensor;
use convgpu::internals::ops::group_norm::GroupNorm;

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn random_cases_within_bounds() {
    let cases: [(usize, &[usize]); 8] = [
        (3, &[2, 6, 5, 7]),
        (1, &[3, 5, 4, 3]),
        (7, &[2, 7, 9]),
        (2, &[1, 130, 6, 5]),
        (10, &[2, 10, 67, 61]),
        (1, &[2, 6, 70, 31]),
        (5, &[3, 10]),
        (2, &[1, 4, 3, 2, 5]),
    ];
    for (groups, shape) in cases {
        let rng = &mut Rng(groups as u64);
        let op = GroupNorm { groups, eps: 1e-5 };
        let c = [shape[1]];
        check(op.clone(), &[rng.tensor(shape)], false);
        check(op, &[rng.tensor(shape), rng.tensor(&c), rng.tensor(&c)], false);
    }
}

#[test]
fn many_parts_of_many_channels_and_empty_tensors() {
    let rng = &mut Rng(3);
    let x: Vec<f32> = (0..2 * 6 * 151 * 149).map(|_| 100.0 + rng.float()).collect();
    check(GroupNorm { groups: 2, eps: 1e-5 }, &[Tensor::new([2, 6, 151, 149], x).unwrap()], false);
    check(GroupNorm { groups: 1, eps: 1e-5 }, &[rng.tensor(&[1, 1030, 3])], false);
    for shape in [[0, 4, 3], [2, 0, 3], [2, 4, 0]] {
        check(GroupNorm { groups: 2, eps: 1e-5 }, &[Tensor::zeros(shape)], true);
    }
}

pub fn pytorch(case: &Case) {
    let eps = case.f32("eps");
    let op = match case.op.as_str() {
        "group_norm" => GroupNorm { groups: case.usize(case.named(&["groups", "num_groups"])), eps },
        _ => GroupNorm::instance(case.tensor("x").shape()[1], eps),
    };
    check_golden(case, op, &case.with_affine(), &case.out());
}

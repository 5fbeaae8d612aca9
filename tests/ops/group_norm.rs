use convgpu::internals::graph::Graph;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::group_norm::GroupNorm;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::session::{Compiled, with_plan};
use convgpu::{CompileOptions, Desc, Device, Tensor};

use crate::support::{Case, Rng, check, check_golden, device};

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

/// Between convolutions, which keep it channels-last: a padding lane has no statistics, and what lies behind those of the others is NaN.
#[test]
fn padding_lanes_stay_zero() {
    for c in [5, 6, 7] {
        let rng = &mut Rng(c as u64);
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([2, c, 6, 5])).unwrap();
        let w = graph.constant("w", rng.tensor(&[c, c, 1, 1])).unwrap();
        let y = graph.apply("before", Conv2d::default(), &[x, w]).unwrap();
        let y = graph.apply("norm", GroupNorm { groups: c, eps: 1e-5 }, &[y]).unwrap();
        let w = graph.constant("v", rng.tensor(&[3, c, 1, 1])).unwrap();
        let y = graph.apply("after", Conv2d::default(), &[y, w]).unwrap();
        graph.output("y", y);
        let x = rng.tensor(&[2, c, 6, 5]);
        let plan = PlanOptions { guarded: true, ..Default::default() };
        let run = |device: &Device| {
            let options = with_plan(CompileOptions::new().fusion(false), plan.clone());
            let compiled = Compiled::new(device, graph.clone(), &options).unwrap();
            (
                compiled.plan().map_or(0, |plan| plan.nodes[2].dispatches),
                compiled.run(&[("x", &x)]).unwrap().into_first(),
            )
        };
        let ((dispatches, actual), (_, expected)) = (run(device()), run(&Device::cpu()));
        assert_eq!(dispatches, 1, "without a conversion");
        let near = |(a, e): (f64, f64)| (a - e).abs() < 1e-3;
        assert!(actual.to_f64s().into_iter().zip(expected.to_f64s()).all(near), "{actual:?} {expected:?}");
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

use convgpu::custom::Op;
use convgpu::internals::attr::BinaryKind;
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::select::Where;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::{DType, Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden, device};

#[test]
fn where_is_exact() {
    let mut rng = Rng(1);
    let shapes: [[&[usize]; 3]; 7] = [
        // Eight axes of which no two can be taken for one.
        [&[2, 1, 3, 1, 2, 1, 2, 1], &[1, 2, 1, 2, 1, 3, 1, 2], &[2, 2, 1, 1, 2, 3, 1, 1]],
        [&[2, 3, 5], &[2, 3, 5], &[2, 3, 5]],
        [&[2, 1, 5], &[3, 1], &[]],
        [&[], &[2, 3], &[3]],
        [&[7], &[1], &[1]],
        [&[2, 3, 1, 5], &[1, 3, 4, 1], &[2, 1, 4, 5]],
        [&[0, 3], &[3], &[1]],
    ];
    for [c, a, b] in shapes {
        let cond = (0..c.iter().product()).map(|_| rng.int(0, 1) == 1).collect::<Vec<_>>();
        check(Where, &[Tensor::new(c, cond).unwrap(), rng.tensor(a), rng.tensor(b)], true);
    }
    let [cond, a, b] = [vec![true, false, true], vec![false, false, true], vec![true, true, false]];
    let bools = [cond, a, b].map(|v| Tensor::new([3], v).unwrap());
    check(Where, &bools, true);
}

#[test]
fn more_axes_than_kernels_have_are_refused() {
    let [wide, tall] = [0, 1].map(|odd| Desc::f32((0..9).map(|k| 1 + usize::from(k % 2 == odd)).collect::<Vec<_>>()));
    let mut graph = Graph::new();
    let ids = [graph.input("a", wide).unwrap(), graph.input("b", tall).unwrap()];
    graph.add("sum", Binary(BinaryKind::Add), &ids).unwrap();
    let caps = &device().adapter().expect("the tests have an adapter").caps;
    let error = Plan::new(&graph, caps, &PlanOptions::default()).unwrap_err().to_string();
    assert!(error.contains("strided access over 9 axes (at most 8"), "{error}");
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (cond, x) = (Desc::new([2], DType::Bool), Desc::f32([2]));
    assert!(Where.outputs(&[x.clone(), x.clone(), x.clone()]).is_err());
    assert!(Where.outputs(&[cond.clone(), x.clone(), Desc::new([2], DType::I64)]).is_err());
    assert!(Where.outputs(&[cond, x, Desc::f32([3])]).is_err());
}

pub fn pytorch(case: &Case) {
    let inputs = [case.truths("condition"), case.tensor("a").clone(), case.tensor("b").clone()];
    check_golden(case, Where, &inputs, &case.out());
}

//! Every kernel of every operator that takes an epilogue, with all its parts: bias, residual, slopes, activation.

use convgpu::custom::{Layout, Op};
use convgpu::internals::attr::{Activation, BinaryKind};
use convgpu::internals::graph::rewrite::rewrite;
use convgpu::internals::graph::{Graph, ValueId};
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::session::{Compiled, with_plan};
use convgpu::internals::verify::{Setup, alternatives, check_node};
use convgpu::{CompileOptions, Desc, Device, Tensor};

use crate::support::{Rng, device, precisions};

/// The nodes after the operator.
#[derive(Clone, Copy, Debug)]
enum Follow {
    Residual,
    ResidualAnd(Activation),
    Just(Activation),
    /// The number of slopes: one, or one per channel.
    Prelu(bool),
}

const FOLLOWS: [Follow; 6] = [
    Follow::Residual,
    Follow::ResidualAnd(Activation::Relu),
    // f(0) is not 0: padding lanes must be masked after it.
    Follow::Just(Activation::Sigmoid),
    Follow::Just(Activation::Clamp { min: 0.5, max: 2.0 }),
    Follow::Prelu(true),
    Follow::Prelu(false),
];

/// Fuses the nodes after the operator and runs every kernel of the one node that remains.
fn check(op: impl Op + Clone + 'static, shapes: &[&[usize]]) {
    for follow in FOLLOWS {
        let mut rng = Rng(5);
        let mut g = Graph::new();
        let mut ids: Vec<ValueId> = vec![g.input("x", Desc::f32(shapes[0])).unwrap()];
        for s in &shapes[1..] {
            ids.push(g.constant("w", rng.tensor(s)).unwrap());
        }
        let y = g.apply("conv", op.clone(), &ids).unwrap();
        let shape = g.shape(y).to_vec();
        let add = |g: &mut Graph| {
            let r = g.input("r", Desc::f32(shape.clone())).unwrap();
            g.binary(y, r, BinaryKind::Add).unwrap()
        };
        let out = match follow {
            Follow::Residual => add(&mut g),
            Follow::ResidualAnd(f) => {
                let sum = add(&mut g);
                g.activation(sum, f).unwrap()
            }
            Follow::Just(f) => g.activation(y, f).unwrap(),
            Follow::Prelu(one) => {
                let slope = g.constant("s", rng.tensor(&[if one { 1 } else { shape[1] }])).unwrap();
                g.prelu(y, slope).unwrap()
            }
        };
        g.output("y", out);
        rewrite(&mut g);
        let [node] = g.nodes() else { panic!("{follow:?} did not fuse: {g}") };
        let inputs: Vec<Tensor> = node
            .inputs
            .iter()
            .map(|&id| g.constant_of(id).cloned().unwrap_or_else(|| rng.tensor(g.shape(id))))
            .collect();
        for precision in precisions() {
            for alternative in 0..alternatives(device(), &g, 0, precision).unwrap() {
                for layout in [Layout::RowMajor, Layout::ChannelsLast] {
                    let setup =
                        Setup { alternative: Some(alternative), layouts: vec![layout; inputs.len()], precision };
                    let checked = pollster::block_on(check_node(device(), &g, 0, &inputs, &setup)).unwrap();
                    let c = &checked.comparisons[0];
                    assert!(c.ok(), "{op:?} {follow:?} {}: {c}", checked.kernels);
                }
            }
        }
    }
}

#[test]
fn conv2d() {
    let op = Conv2d { padding: [[1, 0], [1, 2]], ..Conv2d::default() };
    check(op.clone(), &[&[2, 5, 7, 6], &[6, 5, 3, 2], &[6]]);
    check(op.clone(), &[&[2, 6, 9, 7], &[21, 6, 3, 2], &[21]]);
    check(op.clone(), &[&[2, 6, 9, 7], &[21, 6, 3, 3], &[21]]);
    check(Conv2d { groups: 3, ..op.clone() }, &[&[2, 12, 7, 6], &[24, 4, 3, 2]]);
    check(Conv2d { groups: 7, ..op.clone() }, &[&[2, 7, 7, 6], &[7, 1, 3, 2], &[7]]);
    check(Conv2d { groups: 5, ..op }, &[&[2, 5, 7, 6], &[15, 1, 3, 2]]);
}

#[test]
fn pointwise() {
    check(Conv2d::default(), &[&[2, 12, 6, 10], &[21, 12, 1, 1], &[21]]);
    check(Conv2d::default(), &[&[2, 12, 3, 7], &[21, 12, 1, 1], &[21]]);
}

#[test]
fn linear() {
    check(Conv2d::default(), &[&[3, 11, 1, 1], &[13, 11, 1, 1], &[13]]);
}

#[test]
fn conv_transpose2d() {
    let op = ConvTranspose2d { stride: [2, 1], padding: [[1, 0], [0, 1]], ..ConvTranspose2d::default() };
    check(op.clone(), &[&[2, 5, 7, 6], &[5, 6, 3, 2], &[6]]);
    check(op.clone(), &[&[2, 5, 7, 6], &[5, 21, 3, 2], &[21]]);
    check(ConvTranspose2d { groups: 2, ..op }, &[&[2, 8, 5, 6], &[8, 5, 3, 2]]);
}

/// 1 / 0 in an unmasked padding lane is infinite, and the next convolution, whose weights there are 0, makes it NaN.
#[test]
fn padding_lanes_stay_zero() {
    for (c, groups, oc) in [(5, 1, 6), (6, 1, 21), (7, 7, 7)] {
        let mut rng = Rng(6);
        let mut positive = |shape: &[usize]| {
            let t = rng.integers(shape);
            let values = t.as_f32().unwrap().iter().map(|v| v.abs() + 1.0).collect::<Vec<_>>();
            Tensor::new(shape, values).unwrap()
        };
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([2, c, 7, 6])).unwrap();
        let w = g.constant("w", positive(&[oc, c / groups, 3, 3])).unwrap();
        let y = g.apply("first", Conv2d { groups, ..Conv2d::default() }, &[x, w]).unwrap();
        let y = g.activation(y, Activation::Reciprocal).unwrap();
        let w = g.constant("w", positive(&[9, oc, 1, 1])).unwrap();
        let y = g.apply("second", Conv2d::default(), &[y, w]).unwrap();
        g.output("y", y);
        let x = positive(&[2, c, 7, 6]);
        for alternative in 0..4 {
            let plan = PlanOptions { alternative: Some(alternative), guarded: true, ..PlanOptions::default() };
            let options = with_plan(CompileOptions::new(), plan);
            let run = |d: &Device| Compiled::new(d, g.clone(), &options).unwrap().run(&[("x", &x)]).unwrap();
            let (actual, expected) = (run(device()), run(&Device::cpu()));
            let pairs = actual.first().to_f64s().into_iter().zip(expected.first().to_f64s());
            pairs.for_each(|(a, e)| assert!((a - e).abs() <= 1e-5 * e.abs(), "way {alternative}: {a} for {e}"));
        }
    }
}

//! Convolutions that write into their part of a concatenation.

use std::collections::BTreeSet;
use std::sync::Arc;

use convgpu::custom::{Layout, Op};
use convgpu::internals::graph::{Graph, ValueId};
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::{Algorithm, Variant};
use convgpu::internals::plan::tuning::Tuning;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::{Compiled, with_plan};
use convgpu::internals::verify::{alternatives, compare};
use convgpu::{CompileOptions, Device, Precision, Tensor};

use crate::support::{Rng, device, precisions};

/// An operator of an image and a constant weight, between two tensors along the channels.
struct Case {
    graph: Graph,
    inputs: Vec<(&'static str, Tensor)>,
}

impl Case {
    fn new(rng: &mut Rng, op: impl Op + Clone + 'static, x: &[usize], weight: &[usize]) -> Case {
        let (x, w) = (rng.integers(x), rng.integers(weight));
        let mut beside = op.outputs(&[x.desc(), w.desc()]).unwrap()[0].shape.clone();
        beside[1] = 4;
        let inputs = vec![("x", x), ("before", rng.integers(&beside)), ("after", rng.integers(&beside))];
        let mut graph = Graph::new();
        let ids: Vec<ValueId> = inputs.iter().map(|(name, t)| graph.input(*name, t.desc()).unwrap()).collect();
        let w = graph.constant("w", w).unwrap();
        let y = graph.apply("conv", op, &[ids[0], w]).unwrap();
        let whole = graph.apply("concat", Concat { axis: 1 }, &[ids[1], y, ids[2]]).unwrap();
        graph.output("whole", whole);
        Case { graph, inputs }
    }

    /// Options with guarded memory that is filled with NaNs, and the choices of `tuning`.
    fn options(&self, precision: Precision, tuning: Tuning) -> CompileOptions {
        let input_layouts = vec![Layout::ChannelsLast; 3];
        let tuning = Some(Arc::new(tuning));
        let plan = PlanOptions { guarded: true, precision, input_layouts, tuning, ..PlanOptions::default() };
        with_plan(CompileOptions::new().fusion(false), plan)
    }

    /// Every way to compute the operator.
    fn variants(&self, precision: Precision) -> Vec<Variant> {
        let caps = &device().adapter().expect("the tests have an adapter").caps;
        let variant = |k| {
            let options = PlanOptions {
                alternative: Some(k),
                precision,
                input_layouts: vec![Layout::ChannelsLast; 3],
                ..PlanOptions::default()
            };
            Plan::new(&self.graph, caps, &options).unwrap().nodes.remove(0).chosen
        };
        (0..alternatives(device(), &self.graph, 0, precision).unwrap()).map(variant).collect()
    }

    fn run(&self, device: &Device, options: &CompileOptions) -> (Tensor, Option<Plan>) {
        let compiled = Compiled::new(device, self.graph.clone(), options).unwrap();
        let inputs: Vec<_> = self.inputs.iter().map(|(name, t)| (*name, t)).collect();
        (compiled.run(&inputs).unwrap().first().clone(), compiled.plan().cloned())
    }

    /// Runs every kernel; returns their names.
    fn check(&self) -> Vec<String> {
        let expected = self.run(&Device::cpu(), &CompileOptions::new().fusion(false)).0;
        let variants =
            precisions().into_iter().flat_map(|p| self.variants(p).into_iter().map(move |variant| (p, variant)));
        let of = |(precision, variant): (Precision, Variant)| {
            let key = Tuning::key(&self.graph, &self.graph.nodes()[0], precision).unwrap();
            let tuning = Tuning { choices: [(key, variant.signature())].into() };
            let (actual, plan) = self.run(device(), &self.options(precision, tuning));
            let (kernels, concat) = (variant.kernels(), &plan.unwrap().nodes[1].chosen);
            // The other two tensors are copied, and so is a result that must be converted first.
            let fits = (variant.output_layouts(), variant.precision()) == (concat.output_layouts(), concat.precision());
            assert_eq!(concat.run().len(), if fits { 2 } else { 3 }, "{kernels}");
            let exact = variant.algorithm() == Algorithm::Direct;
            let bound = vec![if exact { 0.0 } else { 1e-2 }; expected.numel()];
            let c = compare(&actual, &expected, &bound);
            assert!(c.ok(), "{kernels}: {c}");
            kernels
        };
        variants.map(of).collect()
    }
}

/// No kernel writes outside its part.
#[test]
fn every_kernel_writes_into_its_place() {
    let plain = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
    let depthwise = Conv2d { groups: 8, ..plain.clone() };
    let grouped = Conv2d { groups: 2, ..plain.clone() };
    let up = ConvTranspose2d { stride: [2, 2], ..ConvTranspose2d::default() };
    let mut rng = Rng(7);
    let cases = [
        Case::new(&mut rng, plain, &[2, 5, 7, 6], &[24, 5, 3, 3]),
        Case::new(&mut rng, grouped, &[1, 16, 7, 6], &[8, 8, 3, 3]),
        Case::new(&mut rng, Conv2d::default(), &[1, 12, 5, 6], &[20, 12, 1, 1]),
        Case::new(&mut rng, Conv2d::default(), &[3, 80, 1, 1], &[12, 80, 1, 1]),
        Case::new(&mut rng, Conv2d::default(), &[5, 4096, 1, 1], &[12, 4096, 1, 1]),
        Case::new(&mut rng, depthwise, &[2, 8, 7, 9], &[8, 1, 3, 3]),
        Case::new(&mut rng, up, &[2, 5, 4, 3], &[5, 12, 2, 2]),
    ];
    let kernels: BTreeSet<String> = cases.iter().flat_map(Case::check).collect();
    let all = "conv2d_slide conv2d_gemm conv2d_depthwise conv2d_winograd_output conv2d_tiled gemm_tiled gemv split_k_sum \
               conv_transpose2d_gemm";
    for name in all.split_whitespace() {
        assert!(kernels.iter().any(|k| k.contains(name)), "{name} is not among {kernels:?}");
    }
}

#[test]
fn what_has_other_readers_is_copied() {
    let mut rng = Rng(8);
    let mut graph = Graph::new();
    let x = rng.integers(&[1, 4, 5, 5]);
    let id = graph.input("x", x.desc()).unwrap();
    let w = graph.constant("w", rng.integers(&[4, 4, 3, 3])).unwrap();
    let same = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
    let conv = |graph: &mut Graph, x: ValueId| graph.apply("conv", same.clone(), &[x, w]).unwrap();
    let once = conv(&mut graph, id);
    let twice = conv(&mut graph, once);
    let thrice = conv(&mut graph, twice);
    let last = conv(&mut graph, id);
    let out = graph.apply("concat", Concat { axis: 1 }, &[once, twice, thrice, thrice, last]).unwrap();
    graph.output("whole", out);
    let case = Case { graph, inputs: vec![("x", x)] };
    let options = CompileOptions::new().fusion(false);
    let (actual, plan) = case.run(device(), &options);
    assert!(actual == case.run(&Device::cpu(), &options).0);
    assert_eq!(plan.unwrap().nodes[4].dispatches, 4);
}

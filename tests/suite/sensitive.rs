//! Networks that multiply small errors: what their nodes are allowed takes an output beyond the tolerance, which is no fault of the
//! plan, and said to be none.

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::verify::{Report, VerifyOptions, verify};
use convgpu::{Desc, Graph, Result, Tensor};

use crate::support::{Rng, device};

fn verified(graph: &Graph, x: &Tensor) -> Report {
    verify(device(), graph, &[("x", x)], &VerifyOptions::new()).unwrap()
}

/// The norm of values that differ in their last bits.
#[test]
fn a_norm_of_nearly_equal_values() {
    let near = |v: &f32| 1e4 + 1e-3 * v;
    let x = Rng(1).tensor(&[4, 300]).to_vec::<f32>().unwrap().iter().map(near).collect::<Vec<f32>>();
    let mut graph = Graph::new();
    let id = graph.input("x", Desc::f32([4, 300])).unwrap();
    let y = graph.apply("norm", LayerNorm { axes: 1, eps: 1e-12, stats: false }, &[id]).unwrap();
    graph.output("y", y);
    let report = verified(&graph, &Tensor::new([4, 300], x).unwrap());
    let output = &report.outputs[0];
    assert!(!report.ok() && output.sensitive && report.first_wrong().is_none() && report.sensitive() == 1, "{report}");
    let last = "1 node and 1 output checked: 1 output beyond the tolerance by what the bounds of the nodes allow";
    assert_eq!(report.to_string().lines().last().unwrap(), last);
}

static SQUARE: Kernel = Kernel::new(
    "square",
    "struct Params { count: u32, error: f32 }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < p.count { y[id.x] = x[id.x] * x[id.x] + p.error; }
    }",
);

/// x^2, by a kernel that errs.
#[derive(Debug)]
struct Square {
    error: f32,
    bound: Option<f32>,
}

impl Op for Square {
    fn name(&self) -> &'static str {
        "square"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let squares: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| x * x).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), squares)?])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(self.bound.map(|bound| vec![vec![bound; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let params = Params::new().with("count", 3usize).with("error", self.error);
        let launch = Launch::grid(&SQUARE, [1, 1, 1], params);
        Ok(vec![Variant::row_major(site, vec![launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        3
    }
}

/// What a bound allows is no fault of the plan; without a bound, or beyond it, nothing says so.
#[test]
fn only_bounds_excuse_an_output() {
    let report = |bound| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([3])).unwrap();
        let y = graph.apply("square", Square { error: 0.5, bound }, &[x]).unwrap();
        graph.output("y", y);
        verified(&graph, &Tensor::from([1.0f32, 2.0, 3.0]))
    };
    let allowed = report(Some(1.0));
    assert!(allowed.first_wrong().is_none() && allowed.outputs[0].sensitive, "{allowed}");
    for bound in [Some(0.25), None] {
        let report = report(bound);
        assert!(!report.ok() && !report.outputs[0].sensitive, "{report}");
    }
}

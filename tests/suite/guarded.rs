//! In guarded memory a kernel that strays by one element behind a tensor is seen, although a driver would hide it.

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::verify::{Checked, Setup, check_node};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{Desc, Graph, Result, Tensor};

use crate::support::device;

/// What the kernel of a sum does behind its tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stray {
    Not,
    ReadsX,
    ReadsW,
    Writes,
}

/// x + w
#[derive(Debug)]
struct Sum(Stray);

static SUM: Kernel = Kernel::new(
    "stray_sum",
    "struct Params { count: u32, stray: u32 }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read> w: array<f32>;
    @group(0) @binding(3) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= p.count { return; }
        var sum = x[id.x] + w[id.x];
        if p.stray == 1u { sum += x[p.count]; }
        if p.stray == 2u { sum += w[p.count]; }
        if p.stray == 3u { y[p.count] = 1.0; }
        y[id.x] = sum;
    }",
);

impl Op for Sum {
    fn name(&self) -> &'static str {
        "stray_sum"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(vec![inputs[0].clone()])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let sums = inputs[0].as_f32()?.iter().zip(inputs[1].as_f32()?).map(|(x, w)| x + w);
        Ok(vec![Tensor::new(inputs[0].shape(), sums.collect::<Vec<_>>())?])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![1e-6; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count = site.outputs[0].numel();
        let launch = Launch::grid(&SUM, [1, 1, 1], Params::new().with("count", count).with("stray", self.0 as u32));
        let launch = launch.reads([Arg::Input(0), Arg::Input(1)]).writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

/// As many elements as a place has, so that there is no padding behind them.
fn values() -> Tensor {
    Tensor::new([64], (0..64).map(|v| v as f32).collect::<Vec<_>>()).unwrap()
}

fn graph(stray: Stray, constant: bool) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x", values().desc()).unwrap();
    let w = match constant {
        true => graph.constant("w", values()).unwrap(),
        false => graph.input("w", values().desc()).unwrap(),
    };
    let y = graph.apply("sum", Sum(stray), &[x, w]).unwrap();
    graph.output("y", y);
    graph
}

fn checked(stray: Stray, constant: bool) -> Checked {
    let inputs = [values(), values()];
    pollster::block_on(check_node(device(), &graph(stray, constant), 0, &inputs, &Setup::default())).unwrap()
}

#[test]
fn what_is_behind_a_tensor_is_seen() {
    for constant in [false, true] {
        assert!(checked(Stray::Not, constant).comparisons[0].ok());
        for stray in [Stray::ReadsX, Stray::ReadsW] {
            let comparison = &checked(stray, constant).comparisons[0];
            assert_eq!(comparison.wrong, 64, "{stray:?}, constant {constant}: {comparison}");
            assert!(comparison.first[0].actual.is_nan(), "{comparison}");
        }
        let comparison = &checked(Stray::Writes, constant).comparisons[0];
        let mismatch = comparison.mismatch.as_ref().expect("it wrote past y");
        assert!(!comparison.ok() && mismatch.contains("wrote past a tensor"), "{comparison}");
    }
}

#[test]
fn verify_names_the_node_that_wrote_past_its_tensor() {
    let (graph, x) = (graph(Stray::Writes, true), values());
    let report = verify(device(), &graph, &[("x", &x)], &VerifyOptions::new()).unwrap();
    let node = report.first_wrong().expect("the sum");
    assert!(node.name == "sum" && node.kernels == "stray_sum", "{report}");
    assert!(!report.ok() && report.to_string().contains("wrote past a tensor"), "{report}");
}

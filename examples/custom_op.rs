//! An operator of one's own: the same `Op` trait as the built-in ones, with its own WGSL and its own reference, so that
//! `verify` checks it like any other.
//!
//! The operator is a quantisation staircase, `y = step * round(x / step)`: something no framework has.

use convgpu::custom::{Arg, Kernel, Launch, Params};
use convgpu::custom::{Layout, Op, Site, Variant};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{CompileOptions, Compiled, Desc, Device, Error, ErrorKind, Graph, Result, Tensor};

static STAIRCASE: Kernel = Kernel::new(
    "staircase",
    "
        struct Params { count: u32, step: f32 }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
            if gid.x >= p.count { return; }
            y[gid.x] = p.step * round(x[gid.x] / p.step);
        }",
);

/// `y = step * round(x / step)`; the step is a power of two, so that division and product are exact.
#[derive(Clone, Debug)]
struct Staircase {
    step: f32,
}

impl Op for Staircase {
    fn name(&self) -> &'static str {
        "staircase"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        if inputs.len() != 1 {
            return Err(Error::new(ErrorKind::Shape, "staircase takes one input"));
        }
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| self.step * (x / self.step).round_ties_even()).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        Ok(vec![vec![0.0; outputs[0].numel()]]) // exact
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count = site.inputs[0].numel();
        let params = Params::new().with("count", count).with("step", self.step);
        let groups = [count.div_ceil(64) as u32, 1, 1];
        let launch = Launch::grid(&STAIRCASE, groups, params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Ok(vec![Variant::in_layout(site, Layout::RowMajor, vec![launch])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        3 * inputs[0].numel() as u64
    }
}

fn main() -> Result<()> {
    let device = Device::open(&std::env::var("CONVGPU_DEVICE").unwrap_or_default())?;
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([2, 3, 5]))?;
    let y = graph.apply("staircase", Staircase { step: 0.25 }, &[x])?;
    graph.output("y", y);

    let values: Vec<f32> = (0..30).map(|i| (i as f32 * 0.7).sin()).collect();
    let input = Tensor::new([2, 3, 5], values)?;
    let compiled = Compiled::new(&device, graph.clone(), &CompileOptions::default())?;
    println!("{device}\n{:?}", compiled.run(&[("x", &input)])?.first());

    let report = verify(&device, &graph, &[("x", &input)], &VerifyOptions::new())?;
    println!("{report}");
    if report.ok() { Ok(()) } else { Err(Error::new(ErrorKind::Check, "the staircase is wrong")) }
}

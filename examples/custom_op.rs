//! An own operator: its WGSL kernel, its reference on the CPU, and a check of one against the other.
//!
//! It is a staircase function, `y = step * round(x / step)`. The step is a power of two, so that quotient and product are exact.

use convgpu::custom::{Arg, Attributes, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{Desc, Device, Error, ErrorKind, Graph, Result, Tensor};

static STAIRCASE: Kernel = Kernel::new("staircase", include_str!("staircase.wgsl"));

#[derive(Debug)]
struct Staircase {
    step: f32,
}

impl Op for Staircase {
    fn name(&self) -> &'static str {
        "staircase"
    }
    fn attributes(&self) -> Option<Attributes> {
        Some(Attributes::new().with("step", self.step))
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        match inputs {
            [x] if *x == Desc::f32(x.shape.clone()) => Ok(vec![x.clone()]),
            _ => Err(Error::new(ErrorKind::Shape, "staircase takes one f32 tensor")),
        }
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| self.step * (x / self.step).round_ties_even()).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![0.0; outputs[0].numel()]])) // exact
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count = site.inputs[0].numel();
        let params = Params::new().with("count", count).with("step", self.step);
        let launch = Launch::grid(&STAIRCASE, [count.div_ceil(64) as u32, 1, 1], params);
        Ok(vec![Variant::row_major(site, vec![launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        3 * inputs[0].numel() as u64
    }
}

fn main() -> Result<()> {
    let device = Device::new()?;
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([5]))?;
    let y = graph.apply("staircase", Staircase { step: 0.25 }, &[x])?;
    graph.output("y", y);
    let x = Tensor::from([0.1f32, 0.13, -0.7, 2.0, 0.375]);

    let report = verify(&device, &graph, &[("x", &x)], &VerifyOptions::new())?;
    println!("{}\n{report}", report.device);
    assert!(report.ok());
    let y = graph.compile(&device)?.run(&[("x", &x)])?.into_first();
    assert_eq!(y, Tensor::from([0.0f32, 0.25, -0.75, 2.0, 0.5]));
    Ok(())
}

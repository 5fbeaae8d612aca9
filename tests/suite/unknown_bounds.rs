//! Operators of a program's own that do not know their error bounds: `verify` compares them, shows the difference, and does
//! not judge it.

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::functional::Activation;
use convgpu::verify::{Report, VerifyOptions, verify};
use convgpu::{Desc, Device, Graph, Result, Tensor};

use crate::support::device;

static SCALE: Kernel = Kernel::new(
    "scale",
    "struct Params { count: u32, factor: f32 }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < p.count { y[id.x] = p.factor * x[id.x]; }
    }",
);

/// 2 x on the reference, `factor` x on a device.
#[derive(Clone, Debug)]
pub struct Twice {
    pub factor: f32,
    pub bound: Option<f32>,
}

impl Op for Twice {
    fn name(&self) -> &'static str {
        "twice"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| 2.0 * x).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(self.bound.map(|b| vec![vec![b; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count = site.outputs[0].numel();
        let params = Params::new().with("count", count).with("factor", self.factor);
        let launch = Launch::grid(&SCALE, [count.div_ceil(64) as u32, 1, 1], params);
        Ok(vec![Variant::row_major(site, vec![launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

/// The operator between two functions of the library. Its result is multiplied by `after`, so that the output may be
/// within its tolerance where the node is not.
fn report(device: &Device, factor: f32, bound: Option<f32>, after: f32) -> Report {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([3])).unwrap();
    let y = graph.apply("own", Twice { factor, bound }, &[x]).unwrap();
    let scale = graph.constant("after", Tensor::full([3], after)).unwrap();
    let y = graph.binary(y, scale, convgpu::functional::BinaryKind::Mul).unwrap();
    let y = graph.activation(y, Activation::Tanh).unwrap();
    graph.output("y", y);
    let x = Tensor::from([1.0f32, -2.0, 3.0]);
    verify(device, &graph, &[("x", &x)], &VerifyOptions::new().compile(Default::default())).unwrap()
}

/// A difference of 3 is neither right nor wrong. Judged by the wrong rule it would be one or the other.
#[test]
fn differences_are_shown_and_not_judged() {
    let report = report(device(), 3.0, None, 0.0);
    let own = report.nodes.iter().find(|n| n.name == "own").unwrap();
    assert!(report.ok() && own.ok() && !own.judged() && own.worst().is_nan(), "{report}");
    assert_eq!((own.difference(), report.unjudged(), report.first_wrong().is_none()), (3.0, 1, true));
    let text = report.to_string();
    let line = text.lines().find(|l| l.starts_with("own ")).unwrap();
    assert!(line.contains("not known  not judged: differs by 3.0e0"), "{line}");
    let end = "2 nodes and 1 output checked: all within their bounds; 1 node not judged: the bounds of their operators are not known";
    assert_eq!(text.lines().last().unwrap(), end, "{text}");
}

/// The same kernel with a bound is wrong, and the right kernel with one is right.
#[test]
fn with_bounds_the_same_operator_is_judged() {
    let wrong = report(device(), 3.0, Some(1.0), 0.0);
    assert_eq!(wrong.first_wrong().unwrap().name, "own");
    assert!(!wrong.ok() && wrong.unjudged() == 0, "{wrong}");
    let right = report(device(), 2.0, Some(0.0), 0.5);
    assert!(right.ok() && right.unjudged() == 0 && !right.to_string().contains("judged"), "{right}");
}

/// The network's outputs are compared with the reference's in any case.
#[test]
fn a_wrong_output_is_wrong_nevertheless() {
    let report = report(device(), 3.0, None, 0.1);
    assert!(report.first_wrong().is_none() && !report.outputs[0].comparison.ok() && !report.ok(), "{report}");
    assert!(report.to_string().contains("0 nodes and 1 output WRONG; 1 node not judged"), "{report}");
}

/// No bound allows a NaN or an infinity where the reference has a number.
#[test]
fn what_is_finite_on_one_side_only_is_wrong() {
    let report = report(device(), f32::INFINITY, None, 0.0);
    assert_eq!(report.first_wrong().unwrap().name, "own", "{report}");
    let evidence = report.evidence.as_ref().unwrap();
    assert_eq!((evidence.node.as_str(), evidence.bounds.len(), evidence.expected.len()), ("own", 0, 1));
}

#[test]
fn an_operator_without_bounds_runs_on_the_reference() {
    let report = report(&Device::cpu(), 2.0, None, 0.5);
    assert!(report.ok() && report.unjudged() == 1 && report.nodes[0].difference() == 0.0, "{report}");
}

/// An empty batch is no proof of anything, and not said to be one.
#[test]
fn without_elements_nothing_is_said_to_be_within_a_bound() {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([0, 3])).unwrap();
    let y = graph.activation(x, Activation::Tanh).unwrap();
    graph.output("y", y);
    let x = Tensor::full([0, 3], 0.0f32);
    let report = verify(device(), &graph, &[("x", &x)], &VerifyOptions::new()).unwrap();
    let last = "1 node and 1 output checked: nothing to check, no node has elements";
    assert!(report.ok() && report.to_string().ends_with(&format!("{last}\n")), "{report}");
}

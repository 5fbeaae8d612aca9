//! What no wrong result shows: which kernels a plan takes, and with what params; estimates of work; how wide bounds are; what
//! shape rules refuse. tests/decisions.txt has them for operators that are drawn from fixed seeds, a line each, so that a
//! change is seen where it is reviewed. `CONVGPU_GENERATE=1` writes it.

use std::fmt::Write;
use std::fs;

use convgpu::custom::{Layout, Op};
use convgpu::internals::conformance::{Draws, FAMILIES, Family, Limits, Rng, Values};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::gpu::recording::Dispatch;
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::{Algorithm, evaluate};
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::evaluate_with_bounds;
use convgpu::{DType, Desc, Precision, Tensor};
use xxhash_rust::xxh3::xxh3_64;

use crate::samples::classes;

/// Operators per family, by its weight up to 4, and kind of values.
const CASES: usize = 12;
const LIMITS: Limits = Limits { elements: 1 << 13, flops: 1 << 19 };

/// The operators of a family, with their inputs.
fn drawn(family: &Family, values: Values) -> Vec<(Graph, Vec<Tensor>)> {
    let seeds = (1..).map(|seed| Draws { rng: Rng(seed).into(), wild: false, values });
    let accepted = seeds.take(1000).filter_map(|mut r| {
        let drawn = (family.draw)(&mut r);
        drawn.graph().filter(|graph| LIMITS.hold(graph)).and_then(|_| drawn.valued(&mut r))
    });
    accepted.take(CASES * family.weight.min(4)).collect()
}

/// Four hexadecimal digits of a text.
fn digest(text: &str) -> String {
    format!("{:04x}", xxh3_64(text.as_bytes()) & 0xffff)
}

/// What the shape rule says of inputs: one too few, one too many, of other types, of another rank.
fn rules(op: &dyn Op, inputs: &[Desc]) -> String {
    let mut tried = vec![inputs[..inputs.len() - 1].to_vec(), [inputs, &inputs[..1]].concat()];
    for k in 0..inputs.len() {
        for dtype in [DType::F32, DType::I64, DType::Bool, DType::U8] {
            let mut others = inputs.to_vec();
            others[k].dtype = dtype;
            tried.push(others);
        }
        for shape in [vec![], [&inputs[k].shape[..], &[2]].concat(), inputs[k].shape.iter().map(|n| n + 1).collect()] {
            let mut others = inputs.to_vec();
            others[k].shape = shape;
            tried.push(others);
        }
    }
    let answers: Vec<_> = tried.iter().map(|descs| format!("{:?}", op.outputs(descs))).collect();
    digest(&answers.join("\n"))
}

/// What the reference makes of inputs of which one axis is empty, where the shape rule accepts that: the outputs.
fn empty(op: &dyn Op, inputs: &[Desc]) -> String {
    let mut text = String::new();
    for k in 0..inputs.len() {
        for axis in 0..inputs[k].rank() {
            let mut others = inputs.to_vec();
            others[k].shape[axis] = 0;
            if op.outputs(&others).is_ok_and(|y| y.iter().all(|desc| desc.numel() <= LIMITS.elements)) {
                let zeros: Vec<_> = others.iter().map(|d| Tensor::zeros(d.shape.clone()).to_dtype(d.dtype)).collect();
                let descs = evaluate(op, &zeros).map(|y| y.iter().map(Tensor::desc).collect::<Vec<_>>());
                writeln!(text, "{descs:?}").unwrap();
            }
        }
    }
    digest(&text)
}

/// The sum and the largest of the finite bounds of all outputs, by each of these algorithms.
fn bounds(graph: &Graph, inputs: &[Tensor], algorithms: &[Algorithm]) -> String {
    let of = |algorithm| {
        let Ok((_, Some(bounds))) = evaluate_with_bounds(&graph.nodes()[0], inputs, algorithm) else {
            return "-".to_owned();
        };
        let finite = || bounds.iter().flatten().map(|b| f64::from(*b)).filter(|b| b.is_finite());
        let infinite = bounds.iter().flatten().count() - finite().count();
        format!("{:.3e} {:.3e} {infinite}", finite().sum::<f64>(), finite().fold(0.0, f64::max))
    };
    algorithms.iter().map(|&algorithm| of(algorithm)).collect::<Vec<_>>().join(", ")
}

fn launched(d: &Dispatch) -> String {
    let params = [Some(d.params()), d.epilogue_params()].map(|p| p.map(|p| format!("{:?}", p.fields())));
    let overrides = d.shader().1.to_vec();
    format!("{} {:?} {overrides:?} {:?} {params:?} {:?}", d.kernel(), d.workgroups(), d.consts(), d.bindings())
}

/// Every variant for a class of device, for inputs of both layouts: how many there are, and a digest of what they do. Adds their
/// algorithms to the list.
fn plans(graph: &Graph, caps: &Caps, algorithms: &mut Vec<Algorithm>) -> String {
    let last = |d: &Desc| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
    let last: Vec<Layout> = graph.inputs().map(|(_, d)| last(d)).collect();
    let (mut count, mut text) = (0, String::new());
    for input_layouts in [vec![], last] {
        for precision in [Precision::F32, Precision::F16] {
            for alternative in 0.. {
                let options = PlanOptions {
                    alternative: Some(alternative),
                    input_layouts: input_layouts.clone(),
                    precision,
                    ..PlanOptions::default()
                };
                let plan = match Plan::new(graph, caps, &options) {
                    Ok(plan) if alternative < plan.nodes[0].alternatives => plan,
                    Ok(_) => break,
                    Err(e) => {
                        write!(text, "{e}").unwrap();
                        break;
                    }
                };
                count += 1;
                let node = &plan.nodes[0];
                if !algorithms.contains(&node.chosen.algorithm()) {
                    algorithms.push(node.chosen.algorithm());
                }
                let work: Vec<_> = node.chosen.run().iter().map(|launch| launch.all_iterations()).collect();
                let all = plan.recording.preparations().chain(plan.recording.dispatches()).map(launched);
                let all: Vec<_> = all.collect();
                writeln!(text, "{} {:?} {work:?} {all:?}", node.kernels, node.chosen.algorithm()).unwrap();
            }
        }
    }
    format!("{count} {}", digest(&text))
}

fn lines() -> String {
    let mut out =
        "# operator: flops; rules, empty inputs; bounds (sum, largest, infinite); variants per class of device\n"
            .to_owned();
    let classes = classes();
    for family in FAMILIES {
        for values in [Values::Numbers, Values::Edges] {
            if values == Values::Edges && !family.edges {
                continue;
            }
            for (graph, inputs) in drawn(family, values) {
                let node = &graph.nodes()[0];
                let descs: Vec<_> = inputs[..node.own_inputs()].iter().map(Tensor::desc).collect();
                let shapes: Vec<_> = descs.iter().map(Desc::to_string).collect();
                write!(out, "{:?} of {}: {}; ", node.op, shapes.join(", "), graph.flops()).unwrap();
                let mut algorithms = vec![Algorithm::Direct];
                let plans: Vec<_> = match values {
                    Values::Edges => vec![],
                    _ => classes.iter().map(|(_, caps)| plans(&graph, caps, &mut algorithms)).collect(),
                };
                let bounds = bounds(&graph, &inputs, &algorithms);
                let (rules, empty) = (rules(&*node.op, &descs), empty(&*node.op, &descs));
                writeln!(out, "{rules} {empty}; {bounds}; {}", plans.join(", ")).unwrap();
            }
        }
    }
    out
}

#[test]
fn decisions_are_those_on_record() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decisions.txt");
    let now = lines();
    if std::env::var("CONVGPU_GENERATE").is_ok_and(|v| v == "1") {
        return fs::write(path, now).unwrap();
    }
    let record = fs::read_to_string(path).unwrap();
    for (now, then) in now.lines().zip(record.lines()) {
        assert_eq!(now, then, "if that is meant: CONVGPU_GENERATE=1 cargo test --all-features --test suite decisions");
    }
    assert_eq!(now.lines().count(), record.lines().count());
}

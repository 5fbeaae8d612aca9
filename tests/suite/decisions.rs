//! What no wrong result shows: which kernels a plan takes, and with what params; estimates of work; how wide bounds are; what
//! shape rules refuse. tests/decisions.txt has them for operators that are drawn from fixed seeds and for layers of networks, a
//! line each, so that a change is seen where it is reviewed. `CONVGPU_GENERATE=1` writes it.

use std::fmt::Write;
use std::fs;

use convgpu::custom::{Layout, Op};
use convgpu::internals::attr::BinaryKind;
use convgpu::internals::conformance::{Draws, FAMILIES, Family, Limits, Rng, Values};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::gpu::recording::Dispatch;
use convgpu::internals::graph::{Graph, ValueId};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::{Algorithm, evaluate};
use convgpu::internals::plan::{Plan, PlanOptions, stages};
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

/// The sum and the largest of the finite bounds of all outputs, and a digest of every one to four digits, by each of these
/// algorithms.
fn bounds(graph: &Graph, inputs: &[Tensor], algorithms: &[Algorithm]) -> String {
    let of = |algorithm| {
        let Ok((_, Some(bounds))) = evaluate_with_bounds(&graph.nodes()[0], inputs, algorithm) else {
            return "-".to_owned();
        };
        let finite = || bounds.iter().flatten().map(|b| f64::from(*b)).filter(|b| b.is_finite());
        let infinite = bounds.iter().flatten().count() - finite().count();
        let all: String = bounds.iter().flatten().map(|b| format!("{b:.3e} ")).collect();
        format!("{:.3e} {:.3e} {infinite} {}", finite().sum::<f64>(), finite().fold(0.0, f64::max), digest(&all))
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
        "# operator: flops; rules, empty inputs; bounds (sum, largest, infinite, digest); variants per class of device\n"
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

/// Convolutions and products as networks have them: images, channels in and out, extent, kernel, stride, groups.
const LAYERS: [[usize; 7]; 28] = [
    [1, 3, 64, 224, 7, 2, 1],
    [1, 3, 32, 224, 3, 2, 1],
    [1, 3, 16, 32, 3, 1, 1],
    [1, 64, 64, 56, 3, 1, 1],
    [8, 64, 64, 56, 3, 1, 1],
    [1, 128, 128, 28, 3, 1, 1],
    [1, 256, 256, 14, 3, 1, 1],
    [1, 512, 512, 7, 3, 1, 1],
    [4, 512, 512, 7, 3, 1, 1],
    [1, 128, 256, 28, 3, 2, 1],
    [1, 64, 256, 56, 1, 1, 1],
    [1, 256, 64, 56, 1, 1, 1],
    [1, 512, 2048, 7, 1, 1, 1],
    [4, 2048, 512, 7, 1, 1, 1],
    [1, 256, 512, 56, 1, 2, 1],
    [1, 16, 6, 1, 1, 1, 1],
    [1, 512, 1000, 1, 1, 1, 1],
    [1, 4096, 4096, 1, 1, 1, 1],
    [32, 784, 256, 1, 1, 1, 1],
    [256, 1024, 1024, 1, 1, 1, 1],
    [1, 32, 32, 112, 3, 1, 32],
    [1, 96, 96, 56, 5, 2, 96],
    [1, 960, 960, 7, 3, 1, 960],
    [1, 128, 128, 28, 3, 1, 32],
    [1, 32, 3, 256, 9, 1, 1],
    [1, 64, 64, 64, 5, 1, 1],
    [1, 6, 16, 14, 5, 1, 1],
    [1, 48, 48, 320, 3, 1, 1],
];

/// The kernels that every class of device takes first for [`LAYERS`], a line each.
fn chosen() -> String {
    let mut out =
        "# layer: the kernels that every class of device takes first, in f32 and, where it has that, in f16\n"
            .to_owned();
    for [n, ic, oc, extent, kernel, stride, groups] in LAYERS {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([n, ic, extent, extent])).unwrap();
        let w = graph.constant("w", Tensor::zeros([oc, ic / groups, kernel, kernel])).unwrap();
        let conv = Conv2d { stride: [stride; 2], padding: [[kernel / 2; 2]; 2], dilation: [1, 1], groups };
        let y = graph.apply("y", conv, &[x, w]).unwrap();
        graph.output("y", y);
        let of = |caps: &Caps, precision| {
            let options = PlanOptions { precision, ..PlanOptions::default() };
            let plan = Plan::new(&graph, caps, &options).unwrap();
            let count = plan.recording.preparations().count();
            format!("{} ({count} before)", plan.nodes[0].kernels)
        };
        let precisions =
            |caps: &Caps| if caps.f16 { vec![Precision::F32, Precision::F16] } else { vec![Precision::F32] };
        let class = |(name, caps): &(&str, Caps)| {
            let all: Vec<_> = precisions(caps).into_iter().map(|precision| of(caps, precision)).collect();
            format!("{name}: {}", all.join(" | "))
        };
        let all: Vec<_> = classes().iter().map(class).collect();
        writeln!(out, "{n}x{ic}x{extent} to {oc}, {kernel}x{kernel} / {stride}, {groups} groups; {}", all.join("; "))
            .unwrap();
    }
    out
}

/// A convolution whose weights are constants.
fn conv(g: &mut Graph, name: &str, x: ValueId, op: Conv2d, [oc, kernel]: [usize; 2]) -> ValueId {
    let icg = g.shape(x)[1] / op.groups;
    let w = g.constant(format!("{name} w"), Tensor::zeros([oc, icg, kernel, kernel])).unwrap();
    g.apply(name, op, &[x, w]).unwrap()
}

/// The fewest channels, and fewest terms of a product, for which every class of device takes Winograd's algorithm, tiles, or a
/// split sum: a line per algorithm and extent.
fn thresholds() -> String {
    let mut out =
        "# the kernels of an extent, with the fewest channels (or for a product: terms) that they are taken for\n"
            .to_owned();
    let mut classes = classes();
    for units in [8, 128] {
        let mut caps = Caps::webgpu_default();
        caps.compute_units = units;
        classes.push((if units == 8 { "8 units" } else { "128 units" }, caps));
    }
    let mut launches = String::new();
    let mut first = |caps: &Caps, x: &[usize], kernel: usize, oc: usize| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32(x)).unwrap();
        let y = conv(&mut graph, "y", x, Conv2d { padding: [[kernel / 2; 2]; 2], ..Conv2d::default() }, [oc, kernel]);
        graph.output("y", y);
        let plan = Plan::new(&graph, caps, &PlanOptions::default()).unwrap();
        launches.extend(plan.recording.dispatches().map(launched));
        plan.nodes[0].kernels.clone()
    };
    let changes = |of: &mut dyn FnMut(usize) -> String, most: usize| {
        let (mut last, mut text) = (String::new(), String::new());
        for n in (1..=most).map(|k| 8 * k) {
            let kernels = of(n);
            if kernels != last {
                write!(text, " {n}: {kernels};").unwrap();
                last = kernels;
            }
        }
        text
    };
    for (name, caps) in &classes {
        for extent in [3, 4, 7, 14, 32, 56] {
            let mut channels = |c: usize| first(caps, &[1, c, extent, extent], 3, c);
            writeln!(out, "{name}, 3x3 of {extent}x{extent}:{}", changes(&mut channels, 24)).unwrap();
        }
        for rows in [1, 4, 64, 400] {
            let mut terms = |k: usize| first(caps, &[rows, 16 * k, 1, 1], 1, 64);
            writeln!(out, "{name}, {rows} rows by 64 columns, terms / 16:{}", changes(&mut terms, 24)).unwrap();
        }
        for (columns, rows) in [1, 4, 20, 40].into_iter().flat_map(|columns| (1..=34).map(move |rows| (columns, rows)))
        {
            first(caps, &[rows, 64, 1, 1], 1, columns);
            first(caps, &[1, 8, 1, rows], 1, columns);
        }
    }
    writeln!(out, "all their launches, and those of 1 to 34 rows: {}", digest(&launches)).unwrap();
    out
}

/// What every stage of a plan prints of a network with a branch, for two classes of device.
fn printed() -> String {
    let mut out = "# the stages of a plan\n".to_owned();
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 3, 8, 8])).unwrap();
    let padded = || Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
    let a = conv(&mut g, "a", x, padded(), [8, 3]);
    let b = conv(&mut g, "b", a, Conv2d { groups: 8, ..padded() }, [8, 3]);
    let c = g.apply("c", Concat { axis: 1 }, &[a, b]).unwrap();
    let d = g.apply("d", Softmax { axis: 1, log: false }, &[c]).unwrap();
    let e = g.apply("e", Binary(BinaryKind::Add), &[d, c]).unwrap();
    g.output("d", d);
    g.output("e", e);
    for (class, caps) in classes().iter().filter(|(class, _)| ["hardware", "lavapipe"].contains(class)) {
        for (name, stage) in stages::NAMES {
            writeln!(out, "## {class}, {name}").unwrap();
            out += &stages::text(&g, caps, &PlanOptions::default(), stage).unwrap();
        }
    }
    out
}

#[test]
fn decisions_are_those_on_record() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decisions.txt");
    let now = lines() + &chosen() + &thresholds() + &printed();
    if std::env::var("CONVGPU_GENERATE").is_ok_and(|v| v == "1") {
        return fs::write(path, now).unwrap();
    }
    let record = fs::read_to_string(path).unwrap();
    for (now, then) in now.lines().zip(record.lines()) {
        assert_eq!(now, then, "if that is meant: CONVGPU_GENERATE=1 cargo test --all-features --test suite decisions");
    }
    assert_eq!(now.lines().count(), record.lines().count());
}

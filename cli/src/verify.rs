//! `convgpu verify`: checks every node of a network on the device against the reference.

pub mod dump;
mod expect;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args as ClapArgs;
use convgpu::internals::verify::{fail_at, values};
use convgpu::verify::{
    Comparison, Mismatch, NodeReport, NodeValue, OutputReport, Replays, Report, VerifyOptions, verify,
};
use convgpu::{CompileOptions, Device, DeviceChoice, Precision};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network::{self, Bound};
use crate::numbers;
use crate::progress::{Bar, compiling};
use crate::tune;
use dump::Dump;
use expect::Expected;

/// Checks every node on the device against the reference, then the whole plan
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file; - is stdin
    model: PathBuf,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    invent: InventArgs,
    /// Corrupt the result of this node, to test that it is detected
    #[arg(long, value_name = "NODE", hide = true)]
    fail_at: Option<String>,
    /// Run every node and the whole plan N times more, and compare all bits
    #[arg(long, value_name = "N", default_value_t = 0)]
    replays: usize,
    /// Fail as well where a node is within its bound, but not what rounding looks like
    #[arg(long)]
    strict: bool,
    /// Check only from this node on
    #[arg(long, value_name = "NODE")]
    from: Option<String>,
    /// Write inputs, outputs, right outputs and bounds of the first wrong node into this folder, as .npy files
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Compare the device's values with another engine's as well: an .npz, or a folder of NAME.npy files and subfolders, named as
    /// the values of the model; with --no-fuse all of them can be compared
    #[arg(long, value_name = "DIR|FILE.npz")]
    expect: Option<PathBuf>,
    /// Check the network as the file has it, without rewriting or fusing
    #[arg(long)]
    no_fuse: bool,
    /// Pass even if nodes have no finite element to check
    #[arg(long)]
    allow_nonfinite: bool,
    /// Check the kernels that `convgpu tune` found fastest
    #[arg(long)]
    tuned: bool,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 either way)
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, device: &DeviceChoice) -> Outcome<()> {
    let dump = args.dump.as_deref().map(Dump::new).transpose()?;
    let network = network::bind(&args.model, &args.inputs, Some(&args.invent))?;
    let mut expected = args.expect.as_deref().map(|path| Expected::read(path, &network.graph)).transpose()?;
    let device = devices::open(device)?;
    let compile = compiling(tune::options(&device, &network.graph, args.tuned, args.precision)?);
    let compile = if args.no_fuse { compile.fusion(false) } else { compile };
    let bar = Arc::new(Bar::steps());
    let shown = bar.clone();
    let mut options = VerifyOptions::new().compile(compile).replays(args.replays);
    options = options.progress(move |at, nodes, name| shown.at(at, nodes, name));
    if let Some(expected) = &expected {
        options = options.keep_values(expected.select());
    }
    if let Some(node) = &args.from {
        options = options.from_node(node);
    }
    if let Some(node) = &args.fail_at {
        options = fail_at(options, node);
    }
    let report = verify(&device, &network.graph, &network.inputs(), &options);
    drop((options, bar));
    let report = report?;
    let written = match (&dump, &report.evidence) {
        (Some(dump), Some(evidence)) => dump.write(evidence),
        (Some(_), None) => {
            console::hint("--dump: no node is wrong".to_owned());
            Ok(vec![])
        }
        (None, _) => Ok(vec![]),
    };
    let (files, lost) = written.map_or_else(|lost| (vec![], Some(lost)), |files| (files, None));
    if let Some(expected) = &mut expected {
        let reference = if args.precision == Precision::F16 { reference(args, &network)? } else { vec![] };
        expected.compare(&report, &reference);
    }
    let expected_verdict = expected.as_ref().map_or(Ok(()), |e| e.verdict(!args.no_fuse));
    let verdict = Failure::beside(verdict(&report, args).and(expected_verdict), lost);
    if args.json {
        console::print_json(&as_json(&report, verdict.is_ok(), expected.as_ref(), &files))?;
    } else {
        let expected = expected.as_ref().map_or(String::new(), |e| e.as_text(!args.no_fuse));
        let dumped = match (&report.evidence, &args.dump) {
            (Some(evidence), Some(dir)) if !files.is_empty() => {
                format!("{} files about {} in {}\n", files.len(), console::name(&evidence.node), dir.display())
            }
            _ => String::new(),
        };
        console::print(&format!("{report}{expected}{dumped}"))?;
    }
    verdict
}

/// Every value of the network on the reference, in f32.
fn reference(args: &Args, network: &Bound) -> Outcome<Vec<NodeValue>> {
    let plain = CompileOptions::new().fusion(!args.no_fuse);
    Ok(pollster::block_on(values(&Device::cpu(), &network.graph, &network.inputs(), &plain))?)
}

/// A failure that names the first wrong node with its worst element, or else the wrong output.
fn verdict(report: &Report, args: &Args) -> Outcome<()> {
    if let Some(node) = report.first_wrong() {
        let NodeReport { name, op, kernels, .. } = node;
        let wrong = node.outputs.iter().find(|c| !c.ok()).map(Comparison::summary);
        let wrong = wrong.unwrap_or_else(|| node.replays.to_string());
        let sibling = node.sibling.as_ref().map_or(String::new(), |sibling| format!("; {sibling}"));
        let text = format!("{name} ({op}, kernels {kernels}) is wrong: {wrong}{sibling}");
        return Err(Failure::check(text).at(name));
    }
    // An output that the plan got wrong, before one that the network itself makes inaccurate.
    let failed = || report.outputs.iter().filter(|o| !o.ok());
    if let Some(OutputReport { name, comparison, replays, sensitive, .. }) = failed().min_by_key(|o| o.sensitive) {
        let wrong = if comparison.ok() { replays.to_string() } else { comparison.summary() };
        let text = match sensitive {
            false => format!("every node is right, but the whole plan gives a wrong output {name}: {wrong}"),
            true => format!(
                "every node is right, and so is the plan, but output {name} is beyond the tolerance by what the bounds of the \
                 nodes allow, which rounding alone may reach: {wrong}"
            ),
        };
        return Err(Failure::check(text));
    }
    if let Some(node) = report.nodes.iter().find(|n| args.strict && n.unlikely()) {
        let text = "is within its bound, but not what rounding looks like";
        return Err(
            Failure::check(format!("{} ({}, kernels {}) {text}", node.name, node.op, node.kernels)).at(&node.name)
        );
    }
    if report.checkable() || args.allow_nonfinite {
        return Ok(());
    }
    let (some, all) = (report.uncheckable(), report.nodes.len());
    let text = "have no finite element, neither on the device nor on the reference";
    let first = report
        .first_nonfinite()
        .map_or(String::new(), |n| format!("; the first NaN or infinity is in the result of {}", n.name));
    Err(Failure::check(format!("not checkable: {some} of {all} nodes {text}{first}; --allow-nonfinite passes them")))
}

/// `ok` is whether the command succeeds.
fn as_json(report: &Report, ok: bool, expected: Option<&Expected>, files: &[String]) -> Value {
    let nodes: Vec<Value> = report.nodes.iter().map(node_json).collect();
    let output = |o: &OutputReport| {
        json!({
            "name": o.name,
            "ok": o.ok(),
            "worst": numbers::json(o.comparison.worst),
            "sensitive": o.sensitive,
            "stepped": o.stepped,
            "rounding": numbers::json(o.rounding),
            "nan": o.nan,
            "replays": replays_json(o.replays),
        })
    };
    json!({
        "device": report.device,
        "ok": ok,
        "checkable": claimed(report.checkable(), report.nodes.iter().map(NodeReport::elements).sum()),
        "nodes": nodes,
        "unjudged": report.unjudged(),
        "unlikely": report.unlikely(),
        "outputs": report.outputs.iter().map(output).collect::<Vec<_>>(),
        "first_wrong": report.first_wrong().map(node_json),
        "first_nonfinite": report.first_nonfinite().map(|n| &n.name),
        "dump": files,
        "expect": expected.map(Expected::as_json),
    })
}

/// Null if nothing ran again.
fn replays_json(replays: Replays) -> Option<Value> {
    (replays.runs > 0).then(|| json!({ "runs": replays.runs, "different": replays.different }))
}

/// Nothing is claimed of what has no elements.
fn claimed(checkable: bool, elements: usize) -> Option<bool> {
    (elements > 0).then_some(checkable)
}

fn node_json(node: &NodeReport) -> Value {
    let wrong: usize = node.outputs.iter().map(|c| c.wrong).sum();
    let number = numbers::json;
    let shown = |m: &Mismatch| {
        let [actual, expected, bound] = [m.actual, m.expected, m.bound].map(number);
        json!({ "index": m.index, "actual": actual, "expected": expected, "bound": bound })
    };
    json!({
        "name": node.name,
        "op": node.op,
        "kernels": node.kernels,
        "ok": (node.judged() || !node.ok()).then_some(node.ok()),
        "judged": node.judged(),
        "checkable": claimed(node.checkable(), node.elements()),
        "worst": (!node.worst().is_nan()).then(|| number(node.worst())),
        "difference": number(node.difference()),
        "wrong": wrong,
        "unlikely": node.unlikely(),
        "replays": replays_json(node.replays),
        "nonfinite": node.nonfinite(),
        "sibling": node.sibling.as_ref().map(|s| json!({ "kernels": s.kernels, "ok": s.ok })),
        "first": node.outputs.iter().flat_map(|c| &c.first).next().map(shown),
    })
}

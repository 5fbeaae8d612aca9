//! `convgpu verify`: checks every node of a network on the device against the reference.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args as ClapArgs;
use convgpu::internals::verify::fail_at;
use convgpu::verify::{Comparison, NodeReport, OutputReport, Report, VerifyOptions, verify};
use convgpu::{DeviceChoice, Precision};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::network::{self, Missing};
use crate::progress::{Bar, compiling};
use crate::tune;

/// Checks every node on the device against the reference, then the whole plan
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file
    model: PathBuf,
    #[command(flatten)]
    inputs: InputArgs,
    /// Corrupt the result of this node, to test that it is detected
    #[arg(long, value_name = "NODE", hide = true)]
    fail_at: Option<String>,
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
    let network = network::bind(&args.model, &args.inputs, Missing::Invent)?;
    let device = devices::open(device)?;
    let compile = compiling(tune::options(&device, args.tuned, args.precision));
    let bar = Arc::new(Bar::steps());
    let shown = bar.clone();
    let mut options = VerifyOptions::new().compile(compile).progress(move |at, nodes, name| shown.at(at, nodes, name));
    if let Some(node) = &args.fail_at {
        options = fail_at(options, node);
    }
    let report = verify(&device, &network.graph, &network.inputs(), &options);
    drop((options, bar));
    let report = report?;
    console::print(&if args.json { format!("{:#}\n", as_json(&report)) } else { report.to_string() })?;
    verdict(&report)
}

/// A failure that names the first wrong node with its worst element, or else the wrong output.
fn verdict(report: &Report) -> Outcome<()> {
    if let Some(node) = report.first_wrong() {
        let NodeReport { name, op, kernels, .. } = node;
        let wrong = node.outputs.iter().find(|c| !c.ok()).map(Comparison::to_string).unwrap_or_default();
        return Err(Failure::run(format!("{name} ({op}, kernels {kernels}) is wrong: {wrong}")));
    }
    if let Some(OutputReport { name, comparison, .. }) = report.outputs.iter().find(|o| !o.comparison.ok()) {
        let text = format!("every node is right, but the whole plan gives a wrong output {name}: {comparison}");
        return Err(Failure::run(text));
    }
    Ok(())
}

fn as_json(report: &Report) -> Value {
    let nodes: Vec<Value> = report.nodes.iter().map(node_json).collect();
    let output = |OutputReport { name, comparison: c, rounding, .. }: &OutputReport| json!({ "name": name, "ok": c.ok(), "worst": c.worst, "rounding": rounding });
    let outputs = report.outputs.iter().map(output);
    json!({
        "device": report.device,
        "ok": report.ok(),
        "nodes": nodes,
        "outputs": outputs.collect::<Vec<_>>(),
        "first_wrong": report.first_wrong().map(node_json),
    })
}

fn node_json(node: &NodeReport) -> Value {
    let wrong: usize = node.outputs.iter().map(|c| c.wrong).sum();
    let first = node
        .outputs
        .iter()
        .flat_map(|c| &c.first)
        .next()
        .map(|m| json!({ "index": m.index, "actual": m.actual, "expected": m.expected, "bound": m.bound }));
    json!({
        "name": node.name,
        "op": node.op,
        "kernels": node.kernels,
        "ok": node.ok(),
        "worst": node.worst(),
        "wrong": wrong,
        "first": first,
    })
}

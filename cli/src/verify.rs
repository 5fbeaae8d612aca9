//! `convgpu verify`: every node of a network on the device against the reference.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use convgpu::internals::verify::Comparison;
use convgpu::internals::verify::network::{NodeReport, OutputReport, Report, VerifyOptions, verify_async};
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
    /// Corrupt what this node computes, to see that it is found
    #[arg(long, value_name = "NODE", hide = true)]
    fail_at: Option<String>,
    /// Check the kernels that `convgpu tune` found fastest
    #[arg(long)]
    tuned: bool,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 all the same)
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
    let options = VerifyOptions { fail_at: args.fail_at.clone(), compile };
    let inputs = network.inputs();
    let bar = Bar::steps();
    let mut progress = |nodes: usize, at: usize, name: &str| bar.at(at, nodes, name);
    let report = pollster::block_on(verify_async(&device, &network.graph, &inputs, &options, &mut progress));
    drop(bar);
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
        let text = format!("every node is right by itself, but the plan gives a wrong output {name}: {comparison}");
        return Err(Failure::run(text));
    }
    Ok(())
}

fn as_json(report: &Report) -> Value {
    let nodes: Vec<Value> = report.nodes.iter().map(node_json).collect();
    let output = |OutputReport { name, comparison: c, rounding }: &OutputReport| json!({ "name": name, "ok": c.ok(), "worst": c.worst, "rounding": rounding });
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
    let first = node.outputs.iter().flat_map(|c| &c.first).next().map(|(index, actual, expected, bound)| {
        json!({ "index": index, "actual": actual, "expected": expected, "bound": bound })
    });
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

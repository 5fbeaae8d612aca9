//! `convgpu inspect`: shows a network and its plan for a device.

pub mod interface;
pub mod shaders;
mod translate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use convgpu::internals::graph::rewrite::Firing;
use convgpu::internals::graph::{Node, ValueId};
use convgpu::internals::ops;
use convgpu::internals::plan::stages::{self, NAMES, Stage};
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::{self, Compiled};
use convgpu::{CompileOptions, Desc, Device, DeviceChoice, Graph, Precision, ValueInfo};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network::{self, Bound, Facts};
use crate::table::table;
use shaders::{Dump, Written};

/// Shows inputs, outputs, operators, fusion, memory plan and kernels of a network
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file; - is stdin
    model: Option<PathBuf>,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    invent: InventArgs,
    /// List the nodes that the file becomes, with their attributes and shapes, before rewriting: a node of the file may
    /// become several, a linear layer a 1x1 convolution
    #[arg(long)]
    nodes: bool,
    /// Print the WGSL of the kernel of this name, as the plan of a network lists them, instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "nodes", "input", "InventArgs", "PixelArgs"])]
    shader: Option<String>,
    /// Print what a stage of planning makes of the network for the device instead: the variant of every node, the steps and their
    /// tensors, these without needless copies, the first and last use of temporaries, their addresses, buffers and commands
    #[arg(long, value_name = "STAGE", value_parser = stage(), conflicts_with_all = ["nodes", "shader", "json"])]
    stage: Option<Stage>,
    /// Write every pipeline of the network as drivers get it, for reports of their bugs: DIR/KERNEL-HASH.spv, .metal, .hlsl,
    /// .glsl and .wgsl with the values of overrides inserted, .browser.wgsl without; and DIR/manifest.json, which docs/json.md
    /// describes. DIR is made; files of the same name are replaced, others stay. All is there before the device compiles any
    #[arg(long, value_name = "DIR", conflicts_with_all = ["shader", "stage"])]
    dump_shaders: Option<PathBuf>,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 either way)
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The choices of `--stage`.
fn stage() -> impl TypedValueParser<Value = Stage> {
    let find = |name: String| NAMES.iter().find(|(n, _)| *n == name).expect("one of the names").1;
    PossibleValuesParser::new(NAMES.map(|(name, _)| name)).map(find)
}

impl Args {
    /// Whether it uses a device.
    pub fn has_device(&self) -> bool {
        self.shader.is_none()
    }
}

pub fn run(args: &Args, device: &DeviceChoice) -> Outcome<()> {
    if let Some(name) = &args.shader {
        let wgsl = shader(name, args.precision)?;
        return if args.json {
            console::print_json(&json!({ "kernel": name, "wgsl": wgsl }))
        } else {
            console::print_source(&wgsl)
        };
    }
    let Some(model) = &args.model else {
        return Err(Failure::call("inspect takes a model or --shader NAME; see convgpu inspect --help"));
    };
    args.invent.note_values();
    let dump = args.dump_shaders.as_deref().map(Dump::new).transpose()?;
    let network = network::bind(model, &args.inputs, Some(&args.invent))?;
    let device = devices::open(device)?;
    let options = CompileOptions::new().precision(args.precision);
    let written =
        dump.map(|dump| dump_shaders(&dump, &network.graph, &device, &options, args.precision)).transpose()?;
    let compiled = Compiled::new(&device, network.graph.clone(), &options)?;
    if let Some(stage) = args.stage {
        let Some(adapter) = device.adapter() else {
            return Err(Failure::call("--stage: the CPU reference plans nothing: choose a GPU adapter"));
        };
        let options = PlanOptions { precision: args.precision, ..PlanOptions::default() };
        return console::print(&stages::text(compiled.graph(), &adapter.caps, &options, stage)?);
    }
    if args.json {
        let mut object = as_json(&network, &compiled, args.nodes);
        object["dump"] = json!(written.as_ref().map(Written::as_json));
        return console::print_json(&object);
    }
    let nodes = if args.nodes { format!("\n{}", table(&nodes(&network.graph))) } else { String::new() };
    let dumped = written.as_ref().map_or(String::new(), Written::line);
    console::print(&format!("{}{nodes}{dumped}", as_text(&network, &compiled)))
}

/// Writes what the device is about to compile: a driver may crash when it does.
fn dump_shaders(
    dump: &Dump,
    graph: &Graph,
    device: &Device,
    options: &CompileOptions,
    precision: Precision,
) -> Outcome<Written> {
    let plan = session::plan(device, graph.clone(), options)?;
    let Some((plan, adapter)) = plan.zip(device.adapter()) else {
        return Err(Failure::call("--dump-shaders: the CPU reference has no shaders: choose a GPU adapter"));
    };
    dump.write(&plan, adapter, precision)
}

fn shader(name: &str, precision: Precision) -> Outcome<String> {
    let kernels = ops::kernels();
    let names: Vec<&str> = kernels.iter().map(|k| k.name()).collect();
    let found = kernels.iter().find(|k| k.name() == name);
    let found =
        found.ok_or_else(|| Failure::call(format!("there is no kernel {name}; kernels: {}", names.join(", "))))?;
    if precision == Precision::F16 && !found.stored().contains(&true) {
        return Err(Failure::call(format!("the kernel {name} has no form in f16")));
    }
    Ok(found.wgsl(&[], precision))
}

/// The number of nodes per operator, before rewriting.
fn operators(graph: &Graph) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    graph.nodes().iter().for_each(|n| *counts.entry(n.op.name()).or_default() += 1);
    counts
}

/// Elements of all constants that nodes read, each counted once.
fn parameters(graph: &Graph) -> usize {
    let ids: std::collections::BTreeSet<_> = graph.nodes().iter().flat_map(|n| n.inputs.iter().copied()).collect();
    ids.into_iter().filter_map(|id| graph.constant_of(id)).map(|t| t.numel()).sum()
}

fn as_text(network: &Bound, compiled: &Compiled) -> String {
    let graph = &network.graph;
    let Facts { opset, producer, metadata } = &network.model;
    let mut out = format!("file        operator set {opset}");
    out += &if producer.is_empty() { "\n".to_owned() } else { format!(", by {}\n", console::name(producer)) };
    metadata.iter().for_each(|(k, v)| out += &format!("metadata    {}: {}\n", console::name(k), console::name(v)));
    graph.inputs().for_each(|(name, desc)| out += &format!("input       {}: {desc}\n", console::name(name)));
    out += &defaults(&network.defaults);
    graph.outputs().for_each(|(name, desc)| out += &format!("output      {}: {desc}\n", console::name(name)));
    let counts: Vec<String> = operators(graph).iter().map(|(name, n)| format!("{name} {n}")).collect();
    out += &format!("operators   {}\n", counts.join(", "));
    out += &format!("parameters  {}\n", parameters(graph));
    out += &format!("FLOPs       {}\n\n", graph.flops());
    out += &table(&rewrites(compiled.rewrites()));
    out += "\n";
    out += &match compiled.plan() {
        Some(plan) => format!("{plan}{} pipelines on {}\n", compiled.pipelines(), compiled.device()),
        None => compiled.graph().to_string(),
    };
    out
}

/// One row per node: its operator with attributes, and shapes.
fn nodes(graph: &Graph) -> Vec<Vec<String>> {
    let shapes = |ids: &[ValueId]| ids.iter().map(|id| graph.desc(*id).to_string()).collect::<Vec<_>>().join(", ");
    let row = |n: &Node| vec![n.name.clone(), attributes(n), shapes(&n.inputs), shapes(&n.outputs)];
    let heading = ["node", "operator", "inputs", "outputs"].map(str::to_owned).to_vec();
    std::iter::once(heading).chain(graph.nodes().iter().map(row)).collect()
}

/// An operator with its attributes.
fn attributes(node: &Node) -> String {
    let attributes = node.op.attributes().map_or(String::new(), |attributes| attributes.to_string());
    if attributes.is_empty() { node.op.name().to_owned() } else { format!("{}({attributes})", node.op.name()) }
}

/// The number of nodes that a row lists, and of inputs that a line lists; the others are counted.
const NAMED: usize = 3;

/// The inputs that may be given and were not, on a line; old exporters write every weight as one.
fn defaults(infos: &[ValueInfo]) -> String {
    if infos.is_empty() {
        return String::new();
    }
    let named: Vec<_> = infos.iter().take(NAMED).map(ValueInfo::to_string).collect();
    let rest = infos.len() - named.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("optional    {}{more} (the file has values)\n", named.join(", "))
}

/// One row per rule and result: how often it fired, or why not, and where.
fn rewrites(log: &[Firing]) -> Vec<Vec<String>> {
    let mut groups: Vec<(&str, &str, Vec<&str>)> = vec![];
    for firing in log {
        let outcome = firing.declined.unwrap_or("fired");
        match groups.iter_mut().find(|(rule, o, _)| (*rule, *o) == (firing.rule, outcome)) {
            Some((_, _, nodes)) => nodes.push(&firing.node),
            None => groups.push((firing.rule, outcome, vec![&firing.node])),
        }
    }
    let row = |(rule, outcome, nodes): (&str, &str, Vec<&str>)| {
        let rest = nodes.len().saturating_sub(NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let named = format!("{}{more}", nodes[..nodes.len() - rest].join(", "));
        vec![rule.to_owned(), outcome.to_owned(), nodes.len().to_string(), named]
    };
    let heading = ["rewrite", "fired, or why not", "times", "nodes"].map(str::to_owned).to_vec();
    std::iter::once(heading).chain(groups.into_iter().map(row)).collect()
}

fn as_json(network: &Bound, compiled: &Compiled, with_nodes: bool) -> Value {
    let graph = &network.graph;
    let Facts { opset, producer, metadata } = &network.model;
    let metadata: serde_json::Map<_, _> = metadata.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let shapes = |ids: &[ValueId]| ids.iter().map(|id| graph.desc(*id).to_string()).collect::<Vec<_>>();
    let node = |n: &Node| {
        let (inputs, outputs) = (shapes(&n.inputs), shapes(&n.outputs));
        json!({ "name": n.name, "op": n.op.name(), "attributes": attributes(n), "inputs": inputs, "outputs": outputs })
    };
    let nodes = with_nodes.then(|| graph.nodes().iter().map(node).collect::<Vec<_>>());
    let (fired, declined): (Vec<&Firing>, Vec<&Firing>) =
        compiled.rewrites().iter().partition(|f| f.declined.is_none());
    let rewrite = |f: &&Firing| json!({ "rule": f.rule, "node": f.node });
    let refusal = |f: &&Firing| json!({ "rule": f.rule, "node": f.node, "reason": f.declined });
    let value = |(name, d): (&str, &Desc)| json!({ "name": name, "shape": d.shape, "dtype": d.dtype.to_string() });
    json!({
        "device": compiled.device().to_string(),
        "opset": opset,
        "producer": producer,
        "metadata": metadata,
        "nodes": nodes,
        "inputs": graph.inputs().map(value).collect::<Vec<_>>(),
        "optional_inputs": network.defaults.iter().map(|v| &v.name).collect::<Vec<_>>(),
        "outputs": graph.outputs().map(value).collect::<Vec<_>>(),
        "operators": operators(graph),
        "parameters": parameters(graph),
        "flops": graph.flops(),
        "rewrites": fired.iter().map(rewrite).collect::<Vec<_>>(),
        "declined": declined.iter().map(refusal).collect::<Vec<_>>(),
        "plan": compiled.plan().map(plan_json),
        "pipelines": compiled.pipelines(),
    })
}

fn plan_json(plan: &Plan) -> Value {
    let node = |n: &convgpu::internals::plan::PlannedNode| {
        json!({
            "name": n.name,
            "op": n.op,
            "kernels": n.kernels,
            "dispatches": n.dispatches,
            "shape": n.output.shape,
        })
    };
    json!({
        "nodes": plan.nodes.iter().map(node).collect::<Vec<_>>(),
        "dispatches": plan.dispatches(),
        "parts": plan.recording.parts(),
        "peak_bytes": plan.peak_bytes,
        "lower_bound_bytes": plan.lower_bound,
        "weight_bytes": plan.weight_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewrites_are_grouped_by_rule_and_outcome() {
        let firing = |rule, node: usize, declined| Firing { rule, node: format!("n{node}"), declined };
        let fused = (0..5).map(|k| firing("fuse", k, None));
        let log = [firing("fold", 9, None)].into_iter().chain(fused).chain([firing("fuse", 7, Some("it pads"))]);
        let rows = rewrites(&log.collect::<Vec<_>>());
        assert_eq!(
            rows[1..],
            [
                ["fold", "fired", "1", "n9"],
                ["fuse", "fired", "5", "n0, n1, n2 and 2 more"],
                ["fuse", "it pads", "1", "n7"],
            ]
        );
    }
}

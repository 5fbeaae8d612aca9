//! `convgpu compare`: one network on several devices, each of which is compared with the last one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use convgpu::internals::verify::{largest_difference, tolerances, values};
use convgpu::verify::{Comparison, NodeReport, NodeValue, Report, VerifyOptions, compare, verify};
use convgpu::{CompileOptions, Device, Precision, Tensor};
use serde_json::{Value, json};

use crate::bench::Timing;
use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network::{self, Bound};
use crate::numbers::{self, seconds};
use crate::progress::compiling;
use crate::statistics::Statistics;
use crate::table::table;

/// Runs a network on several devices: answers, times, memory, and the first value that differs
#[derive(ClapArgs)]
#[command(after_help = "Each device is compared with the last one:\n  \
                        convgpu compare MODEL --device 0 --device cpu\n  \
                        convgpu compare MODEL --device all    every adapter with the reference\n\
                        With --precision f16 every node is also checked against the reference, as verify does, and the \
                        tolerance of an output includes what storing 16 bits changes.")]
pub struct Args {
    /// The network: an ONNX file; - is stdin
    model: PathBuf,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    invent: InventArgs,
    /// Seconds to measure each device
    #[arg(long, value_parser = seconds, default_value = "1.0")]
    seconds: Duration,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 either way)
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a device did.
struct Run {
    device: Device,
    timing: Timing,
    /// Every value of the network in the order of computation.
    values: Vec<NodeValue>,
    /// In f16, where only a check of every node tells a wrong kernel from rounding.
    report: Option<Report>,
    /// Beside the last device; `None` of the last one itself.
    answers: Option<Answers>,
}

struct Answers {
    outputs: Vec<Answer>,
    /// The first value that differs by more than the tolerance, in the order of computation.
    first_different: Option<Different>,
}

/// A value with the node that makes it.
struct Different {
    value: String,
    node: String,
    op: String,
    comparison: Comparison,
}

struct Answer {
    name: String,
    /// The largest distance of elements that are finite on both.
    difference: f64,
    /// What storing f16 on both devices changes; the tolerance has twice that.
    rounding: f64,
    comparison: Comparison,
    statistics: Statistics,
}

pub fn run(args: &Args, choices: &[devices::Choice]) -> Outcome<()> {
    if !choices.contains(&devices::Choice::All) && choices.len() < 2 {
        return Err(Failure::call(
            "compare needs devices: give --device twice or more, or --device all for every adapter and the reference",
        ));
    }
    let network = network::bind(&args.model, &args.inputs, Some(&args.invent))?;
    let mut others = devices::open_all(choices)?;
    let (_, last) = others.pop().expect("every choice gives a device");
    let right = Run::of(last, args, &network)?;
    let mut runs = vec![];
    for (_, device) in others {
        let mut run = Run::of(device, args, &network)?;
        run.answers = Some(Answers::of(&run, &right));
        runs.push(run);
    }
    runs.push(right);
    let wrong = runs.iter().find_map(Run::wrong);
    if args.json {
        console::print_json(&as_json(&runs, wrong.is_none()))?;
    } else {
        console::print(&as_text(&runs))?;
    }
    wrong.map_or(Ok(()), Err)
}

impl Run {
    fn of(device: Device, args: &Args, network: &Bound) -> Outcome<Run> {
        // The reference stores f32 only.
        let precision = if device.is_reference() { Precision::F32 } else { args.precision };
        let plain = CompileOptions::new().precision(precision);
        let options = compiling(plain.clone());
        let timing = Timing::measure(&device, network.graph.clone(), &network.inputs(), &options, args.seconds)?;
        if precision == Precision::F32 {
            let values = pollster::block_on(values(&device, &network.graph, &network.inputs(), &plain))?;
            return Ok(Run { device, timing, values, report: None, answers: None });
        }
        let options = VerifyOptions::new().compile(plain).keep_values(|_| true);
        let mut report = verify(&device, &network.graph, &network.inputs(), &options)?;
        let values = std::mem::take(&mut report.values);
        Ok(Run { device, timing, values, report: Some(report), answers: None })
    }

    fn wrong_node(&self) -> Option<&NodeReport> {
        self.report.as_ref()?.first_wrong()
    }

    fn wrong(&self) -> Option<Failure> {
        if let Some(NodeReport { name, op, outputs, .. }) = self.wrong_node() {
            let wrong = outputs.iter().find(|c| !c.ok()).map(Comparison::summary).unwrap_or_default();
            return Some(Failure::check(format!("{name} ({op}) of {} is wrong: {wrong}", self.device)).at(name));
        }
        let outputs = &self.answers.as_ref()?.outputs;
        if let Some(Answer { name, comparison, .. }) = outputs.iter().find(|a| !a.comparison.ok()) {
            let text = format!("the output {name} of {} differs: {}", self.device, comparison.summary());
            return Some(Failure::check(text));
        }
        let says_nothing = |a: &Answer| a.statistics.is_nowhere_finite();
        let first = outputs.iter().find(|a| says_nothing(a)).filter(|_| outputs.iter().all(says_nothing))?;
        Some(Failure::check(format!("not comparable: no output has a finite element; the first is {}", first.name)))
    }

    /// How much storing f16 changes an output; 0 in f32.
    fn rounding(&self, output: &str) -> f64 {
        let outputs = self.report.iter().flat_map(|r| &r.outputs);
        outputs.filter(|o| o.name == output).map(|o| o.rounding).sum()
    }

    /// The first value that differs from another device's by more than the tolerance; in f16 the first of a wrong node.
    fn first_different(&self, right: &Run) -> Option<Different> {
        if self.report.is_some() || right.report.is_some() {
            return self.first_wrong().or_else(|| right.first_wrong());
        }
        self.values.iter().find_map(|v| {
            let y = &right.values.iter().find(|other| other.name == v.name)?.tensor;
            let comparison = compare(&v.tensor, y, &tolerances(y, 0.0));
            (!comparison.ok()).then(|| Different::of(v, comparison))
        })
    }

    /// The value of the first wrong node.
    fn first_wrong(&self) -> Option<Different> {
        let wrong = self.wrong_node()?;
        let value = self.values.iter().find(|v| v.node == wrong.name)?;
        Some(Different::of(value, wrong.outputs.iter().find(|c| !c.ok())?.clone()))
    }
}

impl Different {
    fn of(v: &NodeValue, comparison: Comparison) -> Different {
        Different { value: v.name.clone(), node: v.node.clone(), op: v.op.clone(), comparison }
    }
}

impl Answers {
    fn of(run: &Run, right: &Run) -> Answers {
        let pairs = run.timing.outputs.iter().zip(right.timing.outputs.iter());
        let outputs =
            pairs.map(|((name, a), (_, b))| Answer::of(name, a, b, run.rounding(name) + right.rounding(name)));
        Answers { outputs: outputs.collect(), first_different: run.first_different(right) }
    }
}

impl Answer {
    fn of(name: &str, a: &Tensor, b: &Tensor, rounding: f64) -> Answer {
        let comparison = compare(a, b, &tolerances(b, rounding));
        Answer {
            name: name.to_owned(),
            difference: largest_difference(a, b),
            rounding,
            comparison,
            statistics: Statistics::of(a),
        }
    }
}

fn as_text(runs: &[Run]) -> String {
    let rows = runs.iter().map(|r| r.timing.row(&r.device.to_string()));
    let mut out = table(&std::iter::once(Timing::heading("device")).chain(rows).collect::<Vec<_>>());
    let mut answers = vec![["device", "output", "largest difference", "result"].map(str::to_owned).to_vec()];
    let mut different = String::new();
    let f16 = runs.iter().any(|r| r.report.is_some());
    for Run { device, answers: its, .. } in runs {
        let Some(Answers { outputs, first_different }) = its else { continue };
        for Answer { name, difference, rounding, comparison, statistics } in outputs {
            let equal = if comparison.ok() { "equal within the tolerance" } else { "DIFFERENT" };
            let stored = if *rounding > 0.0 { ", which includes f16" } else { "" };
            answers.push(vec![
                device.to_string(),
                name.clone(),
                numbers::short(*difference),
                format!("{equal}{stored}{}", statistics.not_finite()),
            ]);
        }
        different += &match first_different {
            Some(Different { value, node, op, comparison }) => {
                let [value, node] = [value, node].map(|name| console::name(name));
                let text = format!("the first value that differs is {value} of the node {node} ({op})");
                format!("{device}: {text}: {}\n", comparison.summary())
            }
            None if f16 => format!("{device}: every node in f16 is right\n"),
            None => format!("{device}: no value differs by more than the tolerance\n"),
        };
    }
    out += &format!("\n{}\n{different}", table(&answers));
    if let Some(last) = runs.last() {
        out += &format!("compared with {}\n", last.device);
    }
    out
}

fn as_json(runs: &[Run], ok: bool) -> Value {
    let answer = |a: &Answer| {
        json!({
            "name": a.name,
            "ok": a.comparison.ok(),
            "difference": numbers::json(a.difference),
            "rounding": numbers::json(a.rounding),
            "wrong": a.comparison.wrong,
            "nan": a.statistics.nan,
            "infinite": a.statistics.infinite,
        })
    };
    let device = |run: &Run| {
        let mut object = run.timing.as_json();
        object["device"] = json!(run.device.to_string());
        if let Some(Answers { outputs, first_different }) = &run.answers {
            object["outputs"] = outputs.iter().map(answer).collect();
            object["first_different"] = json!(first_different.as_ref().map(|d| &d.value));
        }
        object
    };
    json!({ "ok": ok, "devices": runs.iter().map(device).collect::<Vec<_>>() })
}

//! `convgpu compare`: one network on several devices, each of which is compared with the last one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use convgpu::internals::verify::{largest_difference, tolerances, values};
use convgpu::verify::{Comparison, compare};
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
use crate::table::table;

/// Runs a network on several devices: answers, times, memory, and the first value that differs
#[derive(ClapArgs)]
#[command(after_help = "Each device is compared with the last one:\n  \
                        convgpu compare MODEL --device 0 --device cpu\n  \
                        convgpu compare MODEL --device all    every adapter with the reference")]
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
    /// Beside the last device; `None` of the last one itself.
    answers: Option<Answers>,
}

struct Answers {
    outputs: Vec<Answer>,
    /// The first value that differs by more than the tolerance, in the order of computation.
    first_different: Option<(String, Comparison)>,
}

struct Answer {
    name: String,
    /// The largest distance of elements.
    difference: f64,
    comparison: Comparison,
}

pub fn run(args: &Args, choices: &[devices::Choice]) -> Outcome<()> {
    if !choices.contains(&devices::Choice::All) && choices.len() < 2 {
        return Err(Failure::call("compare takes --device twice or more, or --device all"));
    }
    let network = network::bind(&args.model, &args.inputs, Some(&args.invent))?;
    let mut others = devices::open_all(choices)?;
    let last = others.pop().expect("every choice gives a device");
    let (right, values) = Run::of(last, args, &network)?;
    let mut runs = vec![];
    for device in others {
        let (mut run, its) = Run::of(device, args, &network)?;
        run.answers = Some(Answers::of((&run.timing, &its), (&right.timing, &values)));
        runs.push(run);
    }
    runs.push(right);
    if args.json {
        console::print_json(&as_json(&runs))?;
    } else {
        console::print(&as_text(&runs))?;
    }
    match runs.iter().find_map(Run::wrong) {
        Some(text) => Err(Failure::check(text)),
        None => Ok(()),
    }
}

impl Run {
    /// The run, and every value of the network in the order of computation.
    fn of(device: Device, args: &Args, network: &Bound) -> Outcome<(Run, Vec<(String, Tensor)>)> {
        // The reference stores f32 only.
        let precision = if device.is_reference() { Precision::F32 } else { args.precision };
        let plain = CompileOptions::new().precision(precision);
        let options = compiling(plain.clone());
        let timing = Timing::measure(&device, network.graph.clone(), &network.inputs(), &options, args.seconds)?;
        let values = pollster::block_on(values(&device, &network.graph, &network.inputs(), &plain))?;
        Ok((Run { device, timing, answers: None }, values))
    }

    fn wrong(&self) -> Option<String> {
        let answer = self.answers.as_ref()?.outputs.iter().find(|a| !a.comparison.ok())?;
        Some(format!("the output {} of {} differs: {}", answer.name, self.device, answer.comparison))
    }
}

/// The outputs and the values of a device.
type Given<'a> = (&'a Timing, &'a [(String, Tensor)]);

impl Answers {
    fn of((timing, values): Given<'_>, (right, right_values): Given<'_>) -> Answers {
        let outputs = timing.outputs.iter().zip(right.outputs.iter()).map(|((name, a), (_, b))| Answer::of(name, a, b));
        let different = |(name, x): &(String, Tensor)| {
            let (_, y) = right_values.iter().find(|(other, _)| other == name)?;
            let c = compare(x, y, &tolerances(y));
            (!c.ok()).then(|| (name.clone(), c))
        };
        Answers { outputs: outputs.collect(), first_different: values.iter().find_map(different) }
    }
}

impl Answer {
    fn of(name: &str, a: &Tensor, b: &Tensor) -> Answer {
        let comparison = compare(a, b, &tolerances(b));
        Answer { name: name.to_owned(), difference: largest_difference(a, b), comparison }
    }
}

fn as_text(runs: &[Run]) -> String {
    let rows = runs.iter().map(|r| r.timing.row(&r.device.to_string()));
    let mut out = table(&std::iter::once(Timing::heading("device")).chain(rows).collect::<Vec<_>>());
    let mut answers = vec![["device", "output", "largest difference", "result"].map(str::to_owned).to_vec()];
    let mut different = String::new();
    for Run { device, answers: its, .. } in runs {
        let Some(Answers { outputs, first_different }) = its else { continue };
        for Answer { name, difference, comparison } in outputs {
            let result = if comparison.ok() { "equal within the tolerance" } else { "DIFFERENT" };
            answers.push(vec![device.to_string(), name.clone(), numbers::short(*difference), result.to_owned()]);
        }
        different += &match first_different {
            Some((name, c)) => format!("{device}: the first value that differs is {}: {c}\n", console::name(name)),
            None => format!("{device}: no value differs by more than the tolerance\n"),
        };
    }
    out += &format!("\n{}\n{different}", table(&answers));
    if let Some(last) = runs.last() {
        out += &format!("compared with {}\n", last.device);
    }
    out
}

fn as_json(runs: &[Run]) -> Value {
    let answer = |a: &Answer| {
        json!({
            "name": a.name,
            "ok": a.comparison.ok(),
            "difference": numbers::json(a.difference),
            "wrong": a.comparison.wrong,
        })
    };
    let device = |run: &Run| {
        let mut object = run.timing.as_json();
        object["device"] = json!(run.device.to_string());
        if let Some(Answers { outputs, first_different }) = &run.answers {
            object["outputs"] = outputs.iter().map(answer).collect();
            object["first_different"] = json!(first_different.as_ref().map(|(name, _)| name));
        }
        object
    };
    json!({ "devices": runs.iter().map(device).collect::<Vec<_>>() })
}

//! `convgpu compare`: one network on two devices.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use convgpu::internals::verify::{largest_difference, tolerances, values};
use convgpu::verify::{Comparison, compare};
use convgpu::{CompileOptions, Device, DeviceChoice, Precision, Tensor};
use serde_json::{Value, json};

use crate::bench::Timing;
use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network;
use crate::numbers::{self, seconds};
use crate::progress::compiling;
use crate::table::table;

/// Runs a network on two devices: answers, times, memory, and the first value that differs
#[derive(ClapArgs)]
#[command(after_help = "Give --device twice: convgpu compare MODEL --device 0 --device cpu")]
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

/// The outputs of both devices.
struct Answer {
    name: String,
    /// The largest distance of elements.
    difference: f64,
    comparison: Comparison,
}

pub fn run(args: &Args, choices: &[DeviceChoice]) -> Outcome<()> {
    let [first, second] = choices else {
        return Err(Failure::call(format!("compare takes --device twice, not {} times", choices.len())));
    };
    let network = network::bind(&args.model, &args.inputs, Some(&args.invent))?;
    let devices = [devices::open(first)?, devices::open(second)?];
    let mut timings: Vec<Timing> = vec![];
    let mut steps = vec![];
    for device in &devices {
        // The reference stores f32 only.
        let precision = if device.is_reference() { Precision::F32 } else { args.precision };
        let options = compiling(CompileOptions::new().precision(precision));
        let limit = args.seconds;
        timings.push(Timing::measure(device, network.graph.clone(), &network.inputs(), &options, limit)?);
        let plain = CompileOptions::new().precision(precision);
        steps.push(pollster::block_on(values(device, &network.graph, &network.inputs(), &plain))?);
    }
    let pairs = timings[0].outputs.iter().zip(timings[1].outputs.iter());
    let answers: Vec<Answer> = pairs.map(|((name, a), (_, b))| Answer::of(name, a, b)).collect();
    let different = first_different(&steps[0], &steps[1]);
    if args.json {
        console::print_json(&as_json(&devices, &timings, &answers, different.as_ref()))?;
    } else {
        console::print(&as_text(&devices, &timings, &answers, different.as_ref()))?;
    }
    match answers.iter().find(|a| !a.comparison.ok()) {
        Some(a) => Err(Failure::check(format!("the output {} differs: {}", a.name, a.comparison))),
        None => Ok(()),
    }
}

impl Answer {
    fn of(name: &str, a: &Tensor, b: &Tensor) -> Answer {
        let comparison = compare(a, b, &tolerances(b));
        Answer { name: name.to_owned(), difference: largest_difference(a, b), comparison }
    }
}

/// The first value that differs by more than the tolerance, in the order of computation.
fn first_different(a: &[(String, Tensor)], b: &[(String, Tensor)]) -> Option<(String, Comparison)> {
    let of = |(name, x): &(String, Tensor)| {
        let (_, y) = b.iter().find(|(other, _)| other == name)?;
        let c = compare(x, y, &tolerances(y));
        (!c.ok()).then(|| (name.clone(), c))
    };
    a.iter().find_map(of)
}

fn as_text(
    devices: &[Device],
    timings: &[Timing],
    answers: &[Answer],
    different: Option<&(String, Comparison)>,
) -> String {
    let rows = devices.iter().zip(timings).map(|(d, t)| t.row(&d.to_string()));
    let mut out = table(&std::iter::once(Timing::heading("device")).chain(rows).collect::<Vec<_>>());
    out += "\n";
    for Answer { name, difference, comparison } in answers {
        let result = if comparison.ok() { "equal within the tolerance" } else { "DIFFERENT" };
        out += &format!("{}: largest difference {}, {result}\n", console::name(name), numbers::short(*difference));
    }
    out + &match different {
        Some((name, c)) => format!("the first value that differs is {}: {c}\n", console::name(name)),
        None => "no value differs by more than the tolerance\n".to_owned(),
    }
}

fn as_json(
    devices: &[Device],
    timings: &[Timing],
    answers: &[Answer],
    different: Option<&(String, Comparison)>,
) -> Value {
    let device = |(d, t): (&Device, &Timing)| {
        let mut object = t.as_json();
        object["device"] = json!(d.to_string());
        object
    };
    let answer = |a: &Answer| {
        json!({
            "name": a.name,
            "ok": a.comparison.ok(),
            "difference": numbers::json(a.difference),
            "wrong": a.comparison.wrong,
        })
    };
    json!({
        "devices": devices.iter().zip(timings).map(device).collect::<Vec<_>>(),
        "outputs": answers.iter().map(answer).collect::<Vec<_>>(),
        "first_different": different.map(|(name, _)| name),
    })
}

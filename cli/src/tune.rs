//! `convgpu tune`: finds the fastest kernels for a network on this adapter.

mod lock;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use convgpu::bench::Effort;
use convgpu::internals::bench::{Gain, OpenDevice, Tuned, Whole, path, tune};
use convgpu::internals::graph::rewrite::rewrite;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::plan::tuning::Tuning;
use convgpu::internals::session::with_plan;
use convgpu::{CompileOptions, Device, DeviceChoice, Error, ErrorKind, Graph, Precision};
use serde_json::json;

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network;
use crate::numbers::seconds;
use crate::progress::Bar;
use crate::table::table;
use store::{Store, Stored};

/// Times the kernels that fit each layer, and stores those that make the network faster for --tuned
#[derive(ClapArgs)]
#[command(
    after_help = "The column \"wrong\" counts the kernels that were left out since their result was wrong. The choices are \
                        stored in convgpu/tuning-ADAPTER.json, in $XDG_CACHE_HOME, %LOCALAPPDATA% or $HOME/.cache, whichever \
                        is set first."
)]
pub struct Args {
    /// The network: an ONNX file; - is stdin
    model: PathBuf,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    invent: InventArgs,
    /// Seconds to measure each kernel
    #[arg(long, value_parser = seconds, default_value = "0.2")]
    seconds: Duration,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 either way)
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The options for `--precision` and `--tuned`, with the stored tuning of this adapter, if any. It is said if that has nothing
/// for the network.
pub fn options(device: &Device, graph: &Graph, tuned: bool, precision: Precision) -> Outcome<CompileOptions> {
    let options = CompileOptions::new().precision(precision);
    let Some(adapter) = device.adapter().filter(|_| tuned) else {
        if tuned {
            console::hint("--tuned: the CPU reference has no kernels to choose from".to_owned());
        }
        return Ok(options);
    };
    let file = path(adapter).unwrap_or_default();
    let (tuning, what) = match store::load(&file, adapter)? {
        Stored::Damaged => (Tuning::default(), Some(format!("{} is damaged", file.display()))),
        Stored::Tuning(tuning) if tuning.choices.is_empty() => {
            (tuning, Some("no tuning is stored for this adapter".to_owned()))
        }
        Stored::Tuning(tuning) if !knows(&tuning, graph, precision) => {
            (tuning, Some("the tuning of this adapter has nothing for this network".to_owned()))
        }
        Stored::Tuning(tuning) => (tuning, None),
    };
    if let Some(what) = what {
        console::hint(format!("--tuned: {what}; run convgpu tune MODEL first"));
    }
    Ok(with_plan(options, PlanOptions { precision, tuning: Some(Arc::new(tuning)), ..PlanOptions::default() }))
}

/// Whether a tuning has a choice for a node of the network.
fn knows(tuning: &Tuning, graph: &Graph, precision: Precision) -> bool {
    let mut rewritten = graph.clone();
    rewrite(&mut rewritten);
    let mut keys = rewritten.nodes().iter().filter_map(|n| Tuning::key(&rewritten, n, precision));
    keys.any(|key| tuning.choices.contains_key(&key))
}

pub fn run(args: &Args, choice: &DeviceChoice) -> Outcome<()> {
    let network = network::bind(&args.model, &args.inputs, Some(&args.invent))?;
    let device = devices::open(choice)?;
    let open = || Device::open(choice.clone());
    let opened = OpenDevice::new(device.clone(), Some(&open));
    let Some(adapter) = device.adapter() else {
        return Err(Failure::call("the CPU reference has no kernels to choose from: choose a GPU adapter"));
    };
    let file = path(adapter).ok_or_else(|| Failure::call("no cache directory: set XDG_CACHE_HOME or HOME"))?;
    let store = Store::new(&file, adapter)?;
    let time = args.seconds;
    let bar = Bar::steps();
    let mut at = 0;
    // Each result is stored when it is there: what was measured survives an interruption.
    let mut learned = |t: &Tuned| {
        let kept = store.update(|choices| drop(choices.insert(t.key.clone(), t.best_signature.clone())));
        kept.map_err(|e| Error::new(ErrorKind::File, e.to_string()))
    };
    let mut progress = |name: &str| {
        bar.at(at, network.graph.nodes().len(), name);
        at += 1;
    };
    let effort = Effort::new(time);
    let found =
        pollster::block_on(tune(&opened, &network.graph, args.precision, &effort, &mut learned, &mut progress))?;
    let faster = found.iter().filter(|t| t.best_signature != t.fixed_signature);
    let choices = faster.map(|t| (t.key.clone(), t.best_signature.clone())).collect();
    let inputs = network.inputs();
    let whole = Whole { device: &opened, graph: &network.graph, inputs: &inputs, precision: args.precision, time };
    let mut trying = |n: usize| bar.at(0, n, "choices tried in the whole network");
    let gain = pollster::block_on(whole.gain(&choices, &mut trying))?;
    store.update(|stored| {
        for t in found.iter().filter(|t| !gain.kept.contains(&t.key)) {
            stored.insert(t.key.clone(), t.fixed_signature.clone());
        }
    })?;
    drop(bar);
    for t in &found {
        for kernels in &t.lost {
            console::hint(format!("{kernels} lost the device at {} and was left out", t.node));
        }
    }
    console::hint(format!("stored in {}", file.display()));
    if args.json {
        let object = json!({
            "device": device.to_string(),
            "file": file.display().to_string(),
            "clock": found.first().map(|t| t.clock.word()),
            "nodes": found.iter().map(|t| as_json(t, &gain)).collect::<Vec<_>>(),
            "network": {
                "static_ms": gain.seconds[0] * 1e3,
                "tuned_ms": gain.seconds[1] * 1e3,
                "static_bytes": gain.bytes[0],
                "tuned_bytes": gain.bytes[1],
            },
        });
        return console::print_json(&object);
    }
    let heading = ["node", "static choice", "ms", "fastest", "ms", "wrong", "kept"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(heading).chain(found.iter().map(|t| row(t, &gain))).collect();
    let clock = found.first().map_or(String::new(), |t| format!("times of kernels by {}\n", t.clock));
    console::print(&format!("{device}\n\n{}{clock}\n{}", table(&rows), summary(&gain)))
}

fn row(t: &Tuned, gain: &Gain) -> Vec<String> {
    let ms = |seconds: f64| format!("{:.4}", seconds * 1e3);
    let (fixed, best) = (ms(t.fixed_seconds), ms(t.best_seconds));
    let kept = if gain.kept.contains(&t.key) { "fastest" } else { "static" };
    vec![t.node.clone(), t.fixed.clone(), fixed, t.best.clone(), best, t.wrong.to_string(), kept.to_owned()]
}

/// What the network gains.
fn summary(gain: &Gain) -> String {
    let [before, after] = gain.seconds.map(|s| s * 1e3);
    let [bytes, more] = gain.bytes;
    match gain.kept.len() {
        0 => format!("the network ({before:.3} ms, {bytes} bytes) is not faster with other kernels: none is kept\n"),
        n => format!(
            "the network takes {after:.3} ms with {n} of them instead of {before:.3} ms, {more} bytes instead of {bytes}\n"
        ),
    }
}

fn as_json(t: &Tuned, gain: &Gain) -> serde_json::Value {
    json!({
        "node": t.node,
        "static": t.fixed,
        "static_ms": crate::numbers::json(t.fixed_seconds * 1e3),
        "fastest": t.best,
        "fastest_ms": t.best_seconds * 1e3,
        "wrong": t.wrong,
        "lost": t.lost,
        "kept": gain.kept.contains(&t.key),
    })
}

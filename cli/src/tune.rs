//! `convgpu tune`: finds the fastest kernels for a network on this adapter.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use convgpu::bench::Effort;
use convgpu::internals::bench::{Tuned, load, path, save, tune};
use convgpu::internals::graph::plan::PlanOptions;
use convgpu::internals::session::with_plan;
use convgpu::{CompileOptions, Device, DeviceChoice, Precision};
use serde_json::json;

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network;
use crate::table::table;

/// Times the kernels that fit each layer, and stores the fastest for --tuned
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file
    model: PathBuf,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    invent: InventArgs,
    /// Seconds to measure each kernel
    #[arg(long, default_value_t = 0.2)]
    seconds: f64,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 either way)
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The options for `--precision` and `--tuned`, with the stored tuning of this adapter, if any.
pub fn options(device: &Device, tuned: bool, precision: Precision) -> CompileOptions {
    let options = CompileOptions::new().precision(precision);
    let Some(adapter) = device.adapter().filter(|_| tuned) else { return options };
    let tuning = path(adapter).map(|p| load(&p, adapter)).unwrap_or_default();
    if tuning.choices.is_empty() {
        console::note("--tuned: no tuning is stored for this adapter; run convgpu tune MODEL first");
    }
    with_plan(options, PlanOptions { precision, tuning: Some(Arc::new(tuning)), ..PlanOptions::default() })
}

pub fn run(args: &Args, device: &DeviceChoice) -> Outcome<()> {
    if !(0.0..=3600.0).contains(&args.seconds) {
        return Err(Failure::call("--seconds must be 0 to 3600"));
    }
    let network = network::bind(&args.model, &args.inputs, Some(&args.invent))?;
    let device = devices::open(device)?;
    let Some(adapter) = device.adapter() else {
        return Err(Failure::call("the CPU reference has no kernels to choose from: choose a GPU adapter"));
    };
    let file = path(adapter).ok_or_else(|| Failure::call("no cache directory: set XDG_CACHE_HOME or HOME"))?;
    let mut tuning = load(&file, adapter);
    let effort = Effort::new(Duration::from_secs_f64(args.seconds));
    let mut progress = |name: &str| console::note(name);
    let found = pollster::block_on(tune(&device, &network.graph, args.precision, &effort, &mut tuning, &mut progress))?;
    save(&file, adapter, &tuning)?;
    console::note(&format!("stored in {}", file.display()));
    if args.json {
        let object = json!({
            "device": device.to_string(),
            "file": file.display().to_string(),
            "nodes": found.iter().map(as_json).collect::<Vec<_>>(),
        });
        return console::print_json(&object);
    }
    let heading = ["node", "static choice", "ms", "fastest", "ms", "wrong"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(heading).chain(found.iter().map(row)).collect();
    console::print(&format!("{device}\n\n{}", table(&rows)))
}

fn row(t: &Tuned) -> Vec<String> {
    let ms = |seconds: f64| format!("{:.4}", seconds * 1e3);
    let (fixed, best) = (ms(t.fixed_seconds), ms(t.best_seconds));
    vec![t.node.clone(), t.fixed.clone(), fixed, t.best.clone(), best, t.wrong.to_string()]
}

fn as_json(t: &Tuned) -> serde_json::Value {
    json!({
        "node": t.node,
        "static": t.fixed,
        "static_ms": t.fixed_seconds * 1e3,
        "fastest": t.best,
        "fastest_ms": t.best_seconds * 1e3,
        "wrong": t.wrong,
    })
}

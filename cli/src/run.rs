//! `convgpu run`: one run of a network.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use convgpu::internals::session::{Compiled, latest};
use convgpu::{DeviceChoice, Precision, Session, Tensor};
use serde_json::json;

use crate::console;
use crate::devices;
use crate::failure::Outcome;
use crate::input::InputArgs;
use crate::network::{self, Missing};
use crate::output::{OutputArgs, Ranked};
use crate::progress::compiling;
use crate::tune;

/// Runs a network on .npy files or images
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file
    model: PathBuf,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Use the kernels that `convgpu tune` found fastest
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
    let labels = args.output.labels()?;
    let network = network::bind(&args.model, &args.inputs, Missing::Refuse)?;
    let device = devices::open(device)?;
    let options = compiling(tune::options(&device, args.tuned, args.precision));
    let session = Session::new(&device, network.graph.clone(), options)?;
    if let Some(node) = latest(&session).as_deref().and_then(Compiled::computes_in_single) {
        console::note(&format!("{node}: f64 is computed in f32 on this device"));
    }
    let outputs = network.rounded(session.run(&network.inputs())?);
    let files = args.output.write(&outputs, args.inputs.pixels.bgr)?;
    let results = outputs.iter().zip(&files).map(|((name, tensor), file)| {
        let top = args.output.top(tensor, &labels);
        (name, tensor, file.as_ref().map(|f| f.display().to_string()), top)
    });
    if args.json {
        let one = |(name, tensor, file, top): (&String, &Tensor, Option<String>, Option<Vec<Ranked>>)| {
            let top = top.map(|top| top.iter().map(ranked_json).collect::<Vec<_>>());
            let dtype = tensor.dtype().to_string();
            json!({ "name": name, "shape": tensor.shape(), "dtype": dtype, "file": file, "top": top })
        };
        let outputs: Vec<_> = results.map(one).collect();
        return console::print(&format!("{:#}\n", json!({ "device": device.to_string(), "outputs": outputs })));
    }
    let mut text = String::new();
    for (name, tensor, file, top) in results {
        let file = file.map_or(String::new(), |f| format!(" -> {f}"));
        text += &format!("{name}: {}{}{file}\n", tensor.desc(), range(tensor));
        for r in top.into_iter().flatten() {
            let label = r.label.map_or(String::new(), |l| format!("  {l}"));
            text += &format!("  {:>5}  {:>12.6}{label}\n", r.index, r.value);
        }
    }
    console::print(&text)
}

/// The smallest and the largest element of a float tensor.
fn range(tensor: &Tensor) -> String {
    let Ok(values) = tensor.as_f32() else { return String::new() };
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if values.is_empty() { String::new() } else { format!(" in {min} .. {max}") }
}

fn ranked_json(r: &Ranked) -> serde_json::Value {
    json!({ "index": r.index, "value": r.value, "label": r.label })
}

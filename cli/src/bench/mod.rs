//! `convgpu bench`: how fast a network, or single layers, run on the device.

mod ops;
mod profile;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args as ClapArgs};
use convgpu::internals::bench::Samples;
use convgpu::internals::session::Compiled;
use convgpu::{CompileOptions, Device, DeviceChoice, Graph, Outputs, Precision, Tensor};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::files::Target;
use crate::input::InputArgs;
use crate::invent::InventArgs;
use crate::network;
use crate::numbers::{positive, seconds};
use crate::progress::compiling;
use crate::table::table;
use crate::tune;
use profile::Times;

/// Measures cold and warm start, run time and throughput
#[derive(ClapArgs)]
#[command(group = ArgGroup::new("profiled").multiple(true))]
pub struct Args {
    /// The network: an ONNX file; - is stdin
    model: Option<PathBuf>,
    #[command(flatten)]
    inputs: InputArgs,
    #[command(flatten)]
    invent: InventArgs,
    /// Measure single layers with every kernel, and memory-bound operators, instead of a network
    #[arg(long, conflicts_with_all = ["model", "input", "InventArgs", "PixelArgs"])]
    ops: bool,
    /// The layers to measure: a JSON file like src/bench/layers.json, which is the default
    #[arg(long, value_name = "FILE", requires = "ops", conflicts_with = "model")]
    layers: Option<PathBuf>,
    /// Only the layers and operators whose names contain this
    #[arg(long, value_name = "NAME", requires = "ops", conflicts_with = "model")]
    only: Option<String>,
    /// Measure only the kernels that are chosen without tuning
    #[arg(long, requires = "ops", conflicts_with = "model")]
    chosen: bool,
    /// Show the time of every node, and of every operator, with GFLOP/s and the share of what the device reaches
    #[arg(long, conflicts_with = "ops", group = "profiled")]
    profile: bool,
    /// Runs before those that --profile shows
    #[arg(long, value_name = "N", default_value_t = 1, requires = "profiled", conflicts_with = "ops")]
    warmup: usize,
    /// Runs of which --profile shows the medians
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 3, requires = "profiled", conflicts_with = "ops")]
    iterations: usize,
    /// Write the dispatches as a trace that Chrome and Perfetto show; - is stdout, and the tables then go to stderr
    #[arg(long, value_name = "FILE", conflicts_with = "ops", group = "profiled")]
    trace: Option<PathBuf>,
    /// Use the kernels that `convgpu tune` found fastest
    #[arg(long, conflicts_with = "ops")]
    tuned: bool,
    /// Seconds to measure each
    #[arg(long, value_parser = seconds, default_value = "1.0")]
    seconds: Duration,
    /// How floats are stored between kernels: f32, or f16 where the adapter has it (sums are f32 either way)
    #[arg(long, default_value_t)]
    precision: Precision,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, device: &DeviceChoice) -> Outcome<()> {
    let limit = args.seconds;
    if args.ops {
        return ops::run(args, device, limit);
    }
    let Some(model) = &args.model else {
        return Err(Failure::call("bench takes a model or --ops; see convgpu bench --help"));
    };
    let trace = args.trace.as_deref().map(Target::new).transpose()?;
    let taken = trace.as_ref().is_some_and(Target::is_stdout);
    if args.json && taken {
        return Err(Failure::call("--json: the trace goes to stdout already"));
    }
    let network = network::bind(model, &args.inputs, Some(&args.invent))?;
    let mut device = devices::open(device)?;
    let (timing, profile) = reopening(&mut device, |device| {
        let options = compiling(tune::options(device, &network.graph, args.tuned, args.precision)?);
        let timing = Timing::measure(device, network.graph.clone(), &network.inputs(), &options, limit)?;
        let profiled = args.profile || trace.is_some();
        let profile = if profiled { Some(Times::measure(args, device, &network, &options)?) } else { None };
        Ok((timing, profile))
    })?;
    if let (Some(trace), Some(profile)) = (trace, &profile) {
        trace.write(|out| write!(out, "{}", profile.trace()))?;
    }
    if args.json {
        let mut object = timing.as_json();
        object["device"] = json!(device.to_string());
        if let Some(profile) = &profile {
            object["profile"] = profile.as_json();
        }
        return console::print_json(&object);
    }
    let summary = table(&[Timing::heading("network"), timing.row(&network.name)]);
    let profile = profile.map_or(String::new(), |p| format!("\n{}", p.as_text()));
    console::print_beside(&format!("{device}\n\n{summary}{profile}"), taken)
}

/// How often a device that is lost is opened again.
const REOPENINGS: usize = 8;

/// What is measured on a device, which is opened again where it is lost: a kernel that the driver failed to compile, which loses
/// it, is not chosen there.
fn reopening<T>(device: &mut Device, measure: impl Fn(&Device) -> Outcome<T>) -> Outcome<T> {
    for _ in 0..REOPENINGS {
        match measure(device) {
            Err(e) if e.is_lost_device() => {
                console::hint(format!("measured on a device that was opened again: {e}"));
                *device = device.reopened()?;
            }
            done => return done,
        }
    }
    measure(device)
}

/// The measurements of one network.
pub struct Timing {
    /// The results of the first run.
    pub outputs: Outputs,
    /// Compiling and the first run.
    cold: Duration,
    /// Every later run, upload and readback included.
    runs: Samples,
    flops: u64,
    dispatches: usize,
    pipelines: usize,
    /// Activations and weights on the device.
    bytes: u64,
}

impl Timing {
    pub fn measure(
        device: &Device,
        graph: Graph,
        inputs: &[(&str, &Tensor)],
        options: &CompileOptions,
        limit: Duration,
    ) -> Outcome<Timing> {
        let flops = graph.flops();
        let start = Instant::now();
        let compiled = Compiled::new(device, graph, options)?;
        let outputs = compiled.run(inputs)?;
        let cold = start.elapsed();
        let start = Instant::now();
        let mut runs = Samples::default();
        while runs.is_empty() || start.elapsed() < limit {
            let begin = Instant::now();
            compiled.run(inputs)?;
            runs.push(begin.elapsed());
        }
        let plan = compiled.plan();
        Ok(Timing {
            outputs,
            cold,
            runs,
            flops,
            dispatches: plan.map_or(0, |p| p.dispatches()),
            pipelines: compiled.pipelines(),
            bytes: plan.map_or(0, |p| p.peak_bytes + p.weight_bytes),
        })
    }

    /// The median in seconds; there is at least one run.
    fn median(&self) -> f64 {
        self.runs.median().unwrap_or_default().as_secs_f64()
    }

    fn p95(&self) -> f64 {
        self.runs.p95().unwrap_or_default().as_secs_f64()
    }

    fn gflops(&self) -> f64 {
        self.flops as f64 / self.median() / 1e9
    }

    pub fn as_json(&self) -> Value {
        json!({
            "cold_ms": self.cold.as_secs_f64() * 1e3,
            "median_ms": self.median() * 1e3,
            "p95_ms": self.p95() * 1e3,
            "runs": self.runs.len(),
            "gflops": self.gflops(),
            "dispatches": self.dispatches,
            "pipelines": self.pipelines,
            "bytes": self.bytes,
        })
    }

    pub fn heading(first: &str) -> Vec<String> {
        [first, "cold ms", "median ms", "p95 ms", "GFLOP/s", "dispatches", "pipelines", "bytes"]
            .map(str::to_owned)
            .into()
    }

    pub fn row(&self, name: &str) -> Vec<String> {
        let ms = |seconds: f64| format!("{:.3}", seconds * 1e3);
        let times = [ms(self.cold.as_secs_f64()), ms(self.median()), ms(self.p95())];
        let counts = [self.dispatches as u64, self.pipelines as u64, self.bytes].map(|n| n.to_string());
        [vec![name.to_owned()], times.to_vec(), vec![format!("{:.2}", self.gflops())], counts.to_vec()].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use convgpu::internals::device::destroy;
    use convgpu::{Desc, functional::Activation};

    use super::*;

    #[test]
    fn a_lost_device_is_opened_again() {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([3])).unwrap();
        let y = graph.activation(x, Activation::Relu).unwrap();
        graph.output("y", y);
        let x = Tensor::from([-1.0f32, 0.0, 2.0]);
        let mut device = Device::new().unwrap();
        // How many of the first devices are lost.
        for lost in [0, 1, REOPENINGS, REOPENINGS + 1] {
            let tried = Cell::new(0);
            let measured = reopening(&mut device, |device| {
                tried.set(tried.get() + 1);
                if tried.get() <= lost {
                    destroy(device);
                }
                Timing::measure(device, graph.clone(), &[("x", &x)], &CompileOptions::new(), Duration::ZERO)
            });
            assert_eq!(measured.as_ref().err().map(Failure::is_lost_device), (lost > REOPENINGS).then_some(true));
            assert_eq!(tried.get(), (lost + 1).min(REOPENINGS + 1));
        }
    }
}

//! `convgpu bench`: how fast a network, or single layers, run on the device.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use convgpu::ops::conv2d::Conv2d;
use convgpu::{CompileOptions, Compiled, Desc, Device, Graph, Tensor};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::network::{self, Missing};
use crate::table::table;

/// Measures cold and warm start, run time and throughput
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file
    model: Option<PathBuf>,
    #[command(flatten)]
    inputs: InputArgs,
    /// Measure typical layers instead of a network
    #[arg(long, conflicts_with = "model")]
    ops: bool,
    /// Seconds to measure each
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured of one graph.
struct Timing {
    /// Compiling and the first run.
    cold: Duration,
    /// Every later run, upload and readback included, sorted.
    runs: Vec<Duration>,
    flops: u64,
    dispatches: usize,
    pipelines: usize,
    /// Activations and weights on the device.
    bytes: u64,
}

pub fn run(args: &Args, device: &str) -> Outcome<()> {
    if !(0.0..=3600.0).contains(&args.seconds) {
        return Err(Failure::call("--seconds must be 0 to 3600"));
    }
    let limit = Duration::from_secs_f64(args.seconds);
    if args.ops {
        return layers(&devices::open(device)?, limit, args.json);
    }
    let Some(model) = &args.model else {
        return Err(Failure::call("bench takes a model or --ops; see convgpu bench --help"));
    };
    let network = network::bind(model, &args.inputs, Missing::Invent)?;
    let device = devices::open(device)?;
    let timing = Timing::measure(&device, network.graph.clone(), &network.inputs(), limit)?;
    if args.json {
        let mut object = timing.as_json();
        object["device"] = json!(device.to_string());
        return console::print(&format!("{object:#}\n"));
    }
    console::print(&format!(
        "{device}\n\n{}",
        table(&[Timing::heading("network"), timing.row(&model.display().to_string())])
    ))
}

impl Timing {
    fn measure(device: &Device, graph: Graph, inputs: &[(&str, &Tensor)], limit: Duration) -> Outcome<Timing> {
        let flops = graph.flops();
        let start = Instant::now();
        let compiled = Compiled::new(device, graph, &CompileOptions::default())?;
        compiled.run(inputs)?;
        let cold = start.elapsed();
        let start = Instant::now();
        let mut runs = vec![];
        while runs.is_empty() || start.elapsed() < limit {
            let begin = Instant::now();
            compiled.run(inputs)?;
            runs.push(begin.elapsed());
        }
        runs.sort();
        let plan = compiled.plan();
        Ok(Timing {
            cold,
            runs,
            flops,
            dispatches: plan.map_or(0, |p| p.dispatches()),
            pipelines: compiled.pipelines(),
            bytes: plan.map_or(0, |p| p.peak_bytes + p.weight_bytes),
        })
    }

    /// Milliseconds that this share of the runs does not exceed.
    fn percentile(&self, share: f64) -> f64 {
        let last = self.runs.len() - 1;
        self.runs[(last as f64 * share).round() as usize].as_secs_f64() * 1e3
    }

    fn gflops(&self) -> f64 {
        self.flops as f64 / (self.percentile(0.5) * 1e6)
    }

    fn as_json(&self) -> Value {
        json!({
            "cold_ms": self.cold.as_secs_f64() * 1e3,
            "median_ms": self.percentile(0.5),
            "p95_ms": self.percentile(0.95),
            "runs": self.runs.len(),
            "gflops": self.gflops(),
            "dispatches": self.dispatches,
            "pipelines": self.pipelines,
            "bytes": self.bytes,
        })
    }

    fn heading(first: &str) -> Vec<String> {
        [first, "cold ms", "median ms", "p95 ms", "GFLOP/s", "dispatches", "pipelines", "bytes"]
            .map(str::to_owned)
            .into()
    }

    fn row(&self, name: &str) -> Vec<String> {
        let ms = |v: f64| format!("{v:.3}");
        let cold = ms(self.cold.as_secs_f64() * 1e3);
        let (median, p95) = (ms(self.percentile(0.5)), ms(self.percentile(0.95)));
        let counts = [self.dispatches as u64, self.pipelines as u64, self.bytes].map(|n| n.to_string());
        [vec![name.to_owned(), cold, median, p95, format!("{:.2}", self.gflops())], counts.to_vec()].concat()
    }
}

/// Layers of well-known networks: name, channels in and out, image side, kernel side, stride, groups.
const LAYERS: &[(&str, [usize; 6])] = &[
    ("conv 3x3 64->64 at 56x56", [64, 64, 56, 3, 1, 1]),
    ("conv 3x3 256->256 at 14x14", [256, 256, 14, 3, 1, 1]),
    ("conv 1x1 256->64 at 56x56", [256, 64, 56, 1, 1, 1]),
    ("conv 7x7/2 3->64 at 224x224", [3, 64, 224, 7, 2, 1]),
    ("depthwise 3x3 96 at 56x56", [96, 96, 56, 3, 1, 96]),
    ("linear 1024->1000", [1024, 1000, 1, 1, 1, 1]),
];

fn layers(device: &Device, limit: Duration, as_json: bool) -> Outcome<()> {
    let mut rows = vec![Timing::heading("layer")];
    let mut objects = vec![];
    for &(name, [ic, oc, side, kernel, stride, groups]) in LAYERS {
        let mut graph = Graph::new();
        let shape = [1, ic, side, side];
        let x = graph.input("x", Desc::f32(shape))?;
        let w = graph.constant("w", Tensor::full([oc, ic / groups, kernel, kernel], 0.01))?;
        let op = Conv2d { stride: [stride; 2], padding: [kernel / 2; 4], groups, ..Conv2d::default() };
        let y = graph.apply(name, op, &[x, w])?;
        graph.output("y", y);
        let timing = Timing::measure(device, graph, &[("x", &Tensor::full(shape, 0.5))], limit)?;
        rows.push(timing.row(name));
        let mut object = timing.as_json();
        object["name"] = json!(name);
        objects.push(object);
    }
    if as_json {
        return console::print(&format!("{:#}\n", json!({ "device": device.to_string(), "ops": objects })));
    }
    console::print(&format!("{device}\n\n{}", table(&rows)))
}

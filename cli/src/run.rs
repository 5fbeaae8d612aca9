//! `convgpu run`: one run of a network.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use convgpu::internals::session::{Compiled, latest};
use convgpu::{Desc, DeviceChoice, Precision, Session, Tensor};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::input::InputArgs;
use crate::network;
use crate::numbers;
use crate::output::{OutputArgs, Ranked};
use crate::progress::compiling;
use crate::statistics::Statistics;
use crate::tune;

/// Runs a network on .npy files or images
#[derive(ClapArgs)]
pub struct Args {
    /// The network: an ONNX file; - is stdin
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

/// An output with what is said about it.
struct Answer<'a> {
    name: &'a str,
    tensor: &'a Tensor,
    file: Option<String>,
    images: Vec<String>,
    /// The best classes of every row.
    top: Option<Vec<Vec<Ranked>>>,
    statistics: Statistics,
}

pub fn run(args: &Args, device: &DeviceChoice) -> Outcome<()> {
    let labels = args.output.labels()?;
    let mut network = network::bind(&args.model, &args.inputs, None)?;
    let declared: Vec<(&str, &Desc)> = network.graph.outputs().collect();
    let places = args.output.places(&declared, &network.given)?;
    if args.json && places.take_stdout() {
        return Err(Failure::call("--json: a file goes to stdout already"));
    }
    let device = devices::open(device)?;
    args.output.write_inputs(&places, &network.given)?;
    let options = compiling(tune::options(&device, &network.graph, args.tuned, args.precision)?);
    let start = Instant::now();
    let session = Session::new(&device, std::mem::take(&mut network.graph), options)?;
    let compiling = start.elapsed();
    network::note_single(latest(&session).as_deref().and_then(Compiled::computes_in_single));
    let start = Instant::now();
    let results = session.run(&network.inputs())?;
    let running = start.elapsed();
    let outputs = network.rounded(results);
    args.output.write(&places, &outputs, network.bgr)?;
    let answers: Vec<Answer> = outputs
        .iter()
        .enumerate()
        .map(|(k, (name, tensor))| {
            let top = args.output.top(name, tensor, &labels);
            let (file, images) = (places.array(k), places.images(k));
            Answer { name, tensor, file, images, top, statistics: Statistics::of(tensor) }
        })
        .collect();
    let ranked = answers.iter().any(|a| a.top.is_some());
    args.output.note_idle(ranked);
    if let Some(hint) = network.hint.filter(|_| ranked) {
        console::hint(hint);
    }
    let times = [("load", network.loading), ("compile", compiling), ("run", running)];
    if args.json {
        let times: serde_json::Map<_, _> = times.iter().map(|(k, t)| ((*k).to_owned(), json!(ms(*t)))).collect();
        let outputs: Vec<Value> = answers.iter().map(as_json).collect();
        let input = |(k, (name, tensor)): (usize, &(String, Tensor))| {
            let (shape, dtype) = (tensor.shape(), tensor.dtype().to_string());
            json!({ "name": name, "shape": shape, "dtype": dtype, "file": places.of_input(k) })
        };
        let inputs: Vec<Value> = network.given.iter().enumerate().map(input).collect();
        let device = device.to_string();
        return console::print_json(&json!({ "device": device, "ms": times, "inputs": inputs, "outputs": outputs }));
    }
    console::hint(format!("{device}: {}", times.map(|(k, t)| format!("{k} {:.1} ms", ms(t))).join(", ")));
    let text: String = answers.iter().map(as_text).collect();
    console::print_beside(&text, places.take_stdout())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn as_text(answer: &Answer<'_>) -> String {
    let Answer { name, tensor, file, images, top, statistics } = answer;
    let file: String = file.iter().chain(images).map(|f| format!(" -> {}", console::name(f))).collect();
    let mut text = format!("{}: {}{statistics}{file}\n", console::name(name), tensor.desc());
    let rows = top.iter().flatten();
    let many = rows.clone().count() > 1;
    for (row, best) in rows.enumerate() {
        if many {
            text += &format!("  row {row}\n");
        }
        for r in best {
            let label = r.label.as_ref().map_or(String::new(), |l| format!("  {l}"));
            text += &format!("  {:>5}  {:>12}{label}\n", r.index, numbers::aligned(r.value, tensor.dtype().is_float()));
        }
    }
    text
}

fn as_json(answer: &Answer<'_>) -> Value {
    let Answer { name, tensor, file, images, top, statistics } = answer;
    let row = |best: &Vec<Ranked>| -> Value {
        best.iter().map(|r| json!({ "index": r.index, "value": numbers::json(r.value), "label": r.label })).collect()
    };
    // One row is a list of classes, a batch a list of rows.
    let top = top.as_ref().map(|rows| match &rows[..] {
        [only] => row(only),
        rows => rows.iter().map(row).collect(),
    });
    json!({
        "name": name,
        "shape": tensor.shape(),
        "dtype": tensor.dtype().to_string(),
        "file": file,
        "image": images.first(),
        "images": images,
        "top": top,
        "statistics": statistics.as_json(),
    })
}

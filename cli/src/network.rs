//! A network from a file, bound to its inputs.

use std::path::Path;
use std::time::{Duration, Instant};

use convgpu::internals::session::{Bind, Given};
use convgpu::{DType, Dim, ErrorKind, Graph, Model, Outputs, Tensor, ValueInfo};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::input::{self, Declared, InputArgs};
use crate::invent::InventArgs;
use crate::pixels::Told;
use crate::progress::Bar;
use crate::source;

/// A network with every shape known, and the tensors of its inputs.
pub struct Bound {
    /// The name of its file, without the folder.
    pub name: String,
    pub graph: Graph,
    /// The file without its inputs.
    pub model: Facts,
    /// Inputs that the file's own values stand for.
    pub defaults: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    /// What the network is given, in the order of the call and then that of the network.
    pub given: Vec<(String, Tensor)>,
    /// Inputs whose values decide shapes: they are part of the graph.
    shaping: Vec<String>,
    /// Whether its channels are blue, green, red.
    pub bgr: bool,
    /// What to try if the answer is wrong because of the pixels of an image.
    pub hint: Option<String>,
    /// How long it took to read the file.
    pub loading: Duration,
}

/// What a file says about itself.
pub struct Facts {
    pub opset: i64,
    pub producer: String,
    pub metadata: Vec<(String, String)>,
}

impl Bound {
    /// The inputs as a session takes them.
    pub fn inputs(&self) -> Vec<(&str, &Tensor)> {
        let rest = self.given.iter().filter(|(name, _)| !self.shaping.contains(name));
        rest.map(|(name, t)| (name.as_str(), t)).collect()
    }

    /// Results of the graph, computed in f32, rounded to the floats of 16 bits that the file declares.
    pub fn rounded(&self, results: Outputs) -> Vec<(String, Tensor)> {
        let half = |name: &str| {
            let declared = self.outputs.iter().find(|info| info.name == name).and_then(|info| info.dtype);
            declared.filter(|dtype| matches!(dtype, DType::F16 | DType::BF16))
        };
        let one = |(name, t): (String, Tensor)| match half(&name) {
            Some(dtype) => (name, t.to_dtype(dtype).to_dtype(DType::F32)),
            None => (name, t),
        };
        results.into_iter().map(one).collect()
    }
}

/// Loads a network and binds it to its inputs. An input without a file is an error, or is invented.
pub fn bind(file: &Path, inputs: &InputArgs, invent: Option<&InventArgs>) -> Outcome<Bound> {
    let start = Instant::now();
    let model = load(file)?;
    let loading = start.elapsed();
    let model = inputs.open.iter().try_fold(model, |model, text| open_axis(model, text))?;
    let inside =
        |model: Model, name: &String| model.output_at(name).map_err(|e| Failure::call(format!("--at {name}: {e}")));
    let model = inputs.at.iter().try_fold(model, inside)?;
    let told = Told::by(model.metadata().iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let optional = model.optional_inputs().iter().map(|info| Declared { optional: true, ..declared(info) });
    let wanted: Vec<Declared> = model.inputs().iter().map(declared).chain(optional).collect();
    let given = input::read(inputs, &wanted, told)?;
    let mut tensors = given.tensors;
    let shaping = model.shape_inputs();
    if let Some(invent) = invent {
        let missing = |i: &&Declared| !i.optional && !tensors.iter().any(|(name, _)| *name == i.name);
        let missing: Vec<&Declared> = wanted.iter().filter(missing).collect();
        if let Some(decides) = missing.iter().find(|i| shaping.contains(&i.name)) {
            return Err(Failure::call(format!("the input {} needs --input: it decides shapes", decides.name)));
        }
        tensors.extend(invent.tensors(model.inputs(), &missing)?);
    }
    let value = |name, t: &Tensor| shaping.contains(name).then(|| t.clone());
    let bound: Vec<_> = tensors.iter().map(|(name, t)| Given { name, desc: t.desc(), value: value(name, t) }).collect();
    let graph = model.bind(&bound).map_err(|e| match e.kind() {
        // As what is not supported whatever the inputs are.
        ErrorKind::Unsupported => Failure::from(e).of(file.display()),
        _ => e.into(),
    })?;
    let kept = |info: &&ValueInfo| !tensors.iter().any(|(name, _)| *name == info.name);
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    Ok(Bound {
        name,
        graph,
        model: Facts {
            opset: model.opset(),
            producer: model.producer().to_owned(),
            metadata: model.metadata().to_vec(),
        },
        defaults: model.optional_inputs().iter().filter(kept).cloned().collect(),
        outputs: model.outputs().to_vec(),
        shaping: shaping.to_vec(),
        given: tensors,
        bgr: inputs.pixels.bgr(told),
        hint: given.image.and_then(|dtype| inputs.pixels.hint(told, dtype)),
        loading,
    })
}

fn load(file: &Path) -> Outcome<Model> {
    let bar = Bar::loading(file);
    let model = if source::is_stream(file) {
        Model::from_bytes(&source::read(file)?).map_err(|e| Failure::from(e).of(file.display()))
    } else {
        Model::load(file).map_err(Failure::from)
    };
    drop(bar);
    model
}

/// Opens the axis that `--open` names.
fn open_axis(model: Model, text: &str) -> Outcome<Model> {
    let known = |name: &str| model.inputs().iter().chain(model.optional_inputs()).any(|info| info.name == name);
    let split = text.rsplit_once(':').and_then(|(name, axis)| Some((name, axis.parse().ok()?)));
    // Names may contain colons.
    let (name, axis) = split.filter(|_| !known(text)).unwrap_or((text, 0));
    model.open_axis(name, axis).map_err(|e| Failure::call(format!("--open {text}: {e}")))
}

/// Says that a device computes f64 in f32.
pub fn note_single(node: Option<&str>) {
    if let Some(node) = node {
        console::hint(format!("{node}: f64 is computed in f32 on this device"));
    }
}

/// The declaration of an input, as `--input` needs it.
fn declared(info: &ValueInfo) -> Declared {
    let dims = info.dims.as_ref().map(|dims| dims.iter().map(Dim::fixed).collect());
    // Only outputs may be without a type.
    Declared { name: info.name.clone(), dtype: info.dtype.unwrap_or(DType::F32), dims, optional: false }
}

//! ONNX models: decoded, checked, and turned into a [`Graph`] for concrete input shapes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;

use super::import::{self, NodeView};
use super::order;
use super::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::tensor_proto;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::session::{Bind, CompileOptions, Given, Network, Session, check_given};

use crate::shape::{DType, Dim, ValueInfo, list};
use crate::tensor::Tensor;

/// The supported versions of the default operator set.
const OPSETS: std::ops::RangeInclusive<i64> = 6..=28;

/// The most nodes of a model: a few seconds of planning, far more than any network has.
const MOST_NODES: usize = 1 << 20;

/// The oldest file format: before it, attributes carry no types.
const OLDEST_IR: i64 = 3;

/// A network from an ONNX file: checked, with its weights in memory. Extents may still be open.
///
/// ```
/// use convgpu::{Device, Model, Tensor};
///
/// let model = Model::load("tests/models/lenet5_mnist.onnx")?;
/// println!("{model}");
/// assert_eq!(model.inputs()[0].to_string(), "input: f32[1, 1, 28, 28]");
/// assert_eq!(model.num_parameters(), 61_706);
///
/// let session = model.compile(&Device::cpu())?; // Device::new()? is the best GPU
/// let outputs = session.run(&[("input", &Tensor::zeros([1, 1, 28, 28]))])?;
/// assert_eq!(outputs["probs"].shape(), [1, 10]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// Files are untrusted: anything broken in one gives an error.
///
/// ```
/// use convgpu::{ErrorKind, Model};
///
/// assert_eq!(Model::from_bytes(b"no model").unwrap_err().kind(), ErrorKind::File);
/// ```
#[derive(Clone)]
pub struct Model {
    pub(super) opset: i64,
    producer: String,
    /// In an order in which each node comes after what it reads; all have names.
    pub(super) nodes: Vec<NodeProto>,
    /// Initialisers and the values of Constant nodes.
    pub(super) constants: HashMap<String, Tensor>,
    inputs: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    /// Names of inputs that decide a shape, an axis or a scale.
    shape_inputs: Vec<String>,
    /// Values that the file declares as floats of 16 bits.
    pub(super) halves: HashMap<String, DType>,
}

impl Model {
    /// Reads a model from its file; weights in external files are only looked for in its folder or below.
    ///
    /// # Errors
    /// The file cannot be read, is not an ONNX model, is broken, or needs something unsupported: all such operators and
    /// attributes are listed in one error.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        let path = path.as_ref();
        let unread = |e: std::io::Error| Error::io(path, e);
        // A directory cannot be read; a device may never end.
        let metadata = std::fs::metadata(path).map_err(unread)?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() { "a directory" } else { "a device or a pipe" };
            return Err(Error::file(format!("{}: {what}, not a file", path.display())));
        }
        let bytes = std::fs::read(path).map_err(unread)?;
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        Model::parse(bytes.into(), Some(directory)).map_err(|e| e.within(path.display()))
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// As [`Model::load`]; the weights are in external files.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        Model::parse(Bytes::copy_from_slice(bytes), None)
    }

    fn parse(bytes: Bytes, directory: Option<&Path>) -> Result<Model> {
        if bytes.is_empty() {
            return Err(Error::file("the file is empty"));
        }
        let proto = ModelProto::decode(bytes).map_err(|e| Error::file(format!("not an ONNX model: {e}")).because(e))?;
        let opset = versions(&proto)?;
        let producer = format!("{} {}", proto.producer_name(), proto.producer_version()).trim().to_owned();
        let Some(graph) = proto.graph else { return Err(Error::file("not an ONNX model: it holds no graph")) };
        let halves = halves(&graph);
        let mut constants = initialisers(&graph, directory)?;
        let mut nodes = import::operators::check(named(graph.node))?;
        import::branch::close_over(&mut nodes);
        if nodes.len() > MOST_NODES {
            let text = format!("the model has {} nodes (at most {MOST_NODES} are read)", nodes.len());
            return Err(Error::unsupported(text));
        }
        let nodes = constant_nodes(nodes, opset, &mut constants)?;
        let open = |v: &&ValueInfoProto| !constants.contains_key(v.name());
        let inputs = graph.input.iter().filter(open).map(value_info).collect::<Result<Vec<_>>>()?;
        named_once("inputs", &inputs)?;
        let given = inputs.iter().map(|v| v.name.as_str()).chain(constants.keys().map(String::as_str));
        let nodes = order::sort(nodes, given)?;
        let outputs = graph.output.iter().map(value_info).collect::<Result<Vec<_>>>()?;
        named_once("outputs", &outputs)?;
        let mut model = Model { opset, producer, nodes, constants, inputs, outputs, shape_inputs: vec![], halves };
        model.check_outputs()?;
        model.shape_inputs = import::trace::shape_inputs(&model);
        Ok(model)
    }

    fn check_outputs(&self) -> Result<()> {
        let made = self.nodes.iter().flat_map(|n| &n.output);
        let given = self.inputs.iter().map(|v| &v.name);
        let defined: HashSet<&String> = self.constants.keys().chain(given).chain(made).collect();
        match self.outputs.iter().find(|v| !defined.contains(&v.name)) {
            Some(v) => Err(Error::file(format!("nothing defines the output {}", v.name))),
            None if self.outputs.is_empty() => Err(Error::file("the model has no outputs")),
            None => Ok(()),
        }
    }

    /// Compiles the network for a device with the default options; [`Session::new_async`] takes others.
    ///
    /// # Errors
    /// As [`Session::new_async`].
    pub async fn compile_async(self, device: &Device) -> Result<Session> {
        Session::new_async(device, self, CompileOptions::new()).await
    }

    /// The inputs of a run, without constants.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.inputs
    }

    /// The outputs of a run.
    pub fn outputs(&self) -> &[ValueInfo] {
        &self.outputs
    }

    /// The version of ONNX's operator set that the model is written in.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The program that wrote the file and its version, according to the file; may be empty.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// The number of weights and other constants, in elements.
    pub fn num_parameters(&self) -> usize {
        self.constants.values().map(Tensor::numel).sum()
    }

    /// How often the model uses each of ONNX's operators, by name. Constants do not count.
    pub fn operators(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for node in &self.nodes {
            *counts.entry(node.op_type()).or_default() += 1;
        }
        counts
    }
}

impl Network for Model {}

/// An input whose value is given becomes part of the network. It is also an error if a shape depends on values computed
/// on the device. Everything unsupported is listed in one error.
impl Bind for Model {
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        check_given(&self.inputs, inputs)?;
        let valued = |g: &&Given<'_>| g.value.as_ref().is_some_and(|v| v.desc() != g.desc);
        if let Some(Given { name, desc, value: Some(value) }) = inputs.iter().find(valued) {
            return Err(Error::argument(format!("the input {name} is {desc}, its value {}", value.desc())));
        }
        import::lower(self, inputs)
    }
    fn shape_inputs(&self) -> Vec<String> {
        self.shape_inputs.clone()
    }
    fn declared_inputs(&self) -> Vec<ValueInfo> {
        self.inputs.clone()
    }
    fn declared_outputs(&self) -> Vec<ValueInfo> {
        self.outputs.clone()
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({} nodes, {} -> {})", self.nodes.len(), list(&self.inputs), list(&self.outputs))
    }
}

/// The inputs, outputs, origin, operators and size of the network.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "inputs      {}", list(&self.inputs))?;
        writeln!(f, "outputs     {}", list(&self.outputs))?;
        let by = if self.producer.is_empty() { String::new() } else { format!(", by {}", self.producer) };
        writeln!(f, "format      ONNX, operator set {}{by}", self.opset)?;
        let counts: Vec<String> = self.operators().iter().map(|(name, n)| format!("{name} {n}")).collect();
        writeln!(f, "operators   {}", counts.join(", "))?;
        write!(f, "parameters  {}", self.num_parameters())
    }
}

fn named_once(what: &str, infos: &[ValueInfo]) -> Result<()> {
    let mut names = HashSet::new();
    match infos.iter().find(|v| !names.insert(v.name.as_str())) {
        Some(twice) => Err(Error::file(format!("two {what} are named {}", twice.name))),
        None => Ok(()),
    }
}

/// The version of the default operator set.
fn versions(proto: &ModelProto) -> Result<i64> {
    let ir = proto.ir_version();
    if ir < OLDEST_IR {
        return Err(Error::unsupported(format!(
            "IR version {ir} (from {OLDEST_IR} on are read); is it an ONNX model?"
        )));
    }
    let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let Some(set) = proto.opset_import.iter().find(|s| default(s.domain())) else {
        return Err(Error::file("the model does not say which operator set it uses"));
    };
    if !OPSETS.contains(&set.version()) {
        let (low, high) = OPSETS.into_inner();
        return Err(Error::unsupported(format!("operator set {} ({low} to {high} are read)", set.version())));
    }
    Ok(set.version())
}

fn initialisers(graph: &GraphProto, directory: Option<&Path>) -> Result<HashMap<String, Tensor>> {
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |v| v.name());
        return Err(Error::unsupported(format!("the initialiser {name} is sparse")));
    }
    let mut out = HashMap::new();
    for proto in &graph.initializer {
        let at = |e: Error| e.within(format_args!("initialiser {}", proto.name()));
        let tensor = tensor_proto::read(proto, directory).map_err(at)?;
        let tensor = tensor.to_dtype(tensor.dtype().computed());
        if out.insert(proto.name().to_owned(), tensor).is_some() {
            return Err(Error::file(format!("two initialisers are named {}", proto.name())));
        }
    }
    Ok(out)
}

/// The values that the file declares as floats of 16 bits.
fn halves(graph: &GraphProto) -> HashMap<String, DType> {
    let typed = graph.input.iter().chain(&graph.value_info).chain(&graph.output);
    let of_values = typed.filter_map(|v| Some((v.name(), v.r#type.as_ref()?.tensor_type.as_ref()?.elem_type())));
    let of_constants = graph.initializer.iter().map(|t| (t.name(), t.data_type()));
    let of_casts = graph.node.iter().filter(|n| n.op_type() == "Cast").filter_map(|n| {
        let to = n.attribute.iter().find(|a| a.name() == "to")?.i();
        Some((n.output.first()?.as_str(), i32::try_from(to).ok()?))
    });
    let half = |(name, number): (&str, i32)| {
        let dtype = tensor_proto::dtype(number).ok().filter(|d| matches!(d, DType::F16 | DType::BF16))?;
        Some((name.to_owned(), dtype))
    };
    of_values.chain(of_constants).chain(of_casts).filter_map(half).collect()
}

/// Gives nodes without a name one.
pub(super) fn named(mut nodes: Vec<NodeProto>) -> Vec<NodeProto> {
    for (k, node) in nodes.iter_mut().enumerate() {
        if node.name().is_empty() {
            node.name = Some(format!("{}_{k}", node.op_type()));
        }
    }
    nodes
}

/// Moves the values of Constant nodes to the constants; the other nodes.
fn constant_nodes(
    nodes: Vec<NodeProto>,
    opset: i64,
    constants: &mut HashMap<String, Tensor>,
) -> Result<Vec<NodeProto>> {
    let mut rest = vec![];
    for node in nodes {
        if node.op_type() != "Constant" {
            rest.push(node);
            continue;
        }
        let at = |e: Error| e.at(node.name());
        let value = import::constant::value(&NodeView::new(&node, opset, vec![])).map_err(at)?;
        let [name] = &node.output[..] else {
            return Err(at(Error::file("a Constant node has one output")));
        };
        if constants.insert(name.clone(), value).is_some() {
            return Err(at(Error::file(format!("the value {name} is defined twice"))));
        }
    }
    Ok(rest)
}

fn value_info(proto: &ValueInfoProto) -> Result<ValueInfo> {
    let name = proto.name().to_owned();
    let Some(tensor) = proto.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return Err(Error::unsupported(format!(
            "the value {name} is not a tensor (a sequence, map or sparse tensor?)"
        )));
    };
    let at = |e: Error| e.within(format_args!("the value {name}"));
    let dtype = tensor_proto::dtype(tensor.elem_type()).map_err(at)?;
    let dim = |d: &super::proto::DimensionProto| match (d.dim_value, d.dim_param()) {
        (Some(-1), _) => Ok(Dim::Unknown), // not in the standard, but exporters write it
        (Some(n), _) => usize::try_from(n)
            .map(Dim::Fixed)
            .map_err(|_| Error::file(format!("the value {name} has the negative dimension {n}"))),
        (None, "" | "?") => Ok(Dim::Unknown), // Paddle's exporter names every open extent "?"
        (None, name) => Ok(Dim::Named(name.to_owned())),
    };
    let dims = tensor.shape.as_ref().map(|s| s.dim.iter().map(dim).collect::<Result<Vec<_>>>()).transpose()?;
    Ok(ValueInfo::new(name, dtype, dims))
}

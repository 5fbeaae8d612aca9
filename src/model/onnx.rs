//! ONNX models: decoded, checked, and turned into a [`Graph`] for concrete input shapes.

use std::collections::{HashMap, HashSet};
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
use crate::session::{CompileOptions, Given, Network, Session};
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// Versions of the default operator set that are understood.
const OPSETS: std::ops::RangeInclusive<i64> = 6..=28;

/// Nodes that a model may have: some seconds of planning, far above any network.
const MOST_NODES: usize = 1 << 20;

/// The oldest file format: before it, attributes carry no types.
const OLDEST_IR: i64 = 3;

/// A network from an ONNX file: checked, its weights in memory, its shapes perhaps still open.
#[derive(Clone)]
pub struct Model {
    pub(super) opset: i64,
    /// In an order in which each node comes after what it reads; all of them named.
    pub(super) nodes: Vec<NodeProto>,
    /// Initialisers and the values of Constant nodes.
    pub(super) constants: HashMap<String, Tensor>,
    inputs: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    /// Names of inputs that decide a shape, an axis or a scale.
    shape_inputs: Vec<String>,
}

/// An input or output as the file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// The type its elements have here: f16, bf16 and double are f32; 8 and 16 bit integers are i32.
    pub dtype: DType,
    /// Its extents; `None` if the file leaves even their number open.
    pub dims: Option<Vec<Dim>>,
}

/// An extent as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// This many.
    Fixed(usize),
    /// Any number, the same wherever the name stands.
    Named(String),
    /// Any number.
    Unknown,
}

impl Model {
    /// Reads a model from its file; weights in external files are looked for beside it.
    ///
    /// # Errors
    /// The file cannot be read, is no ONNX model or a broken one, or needs something unsupported: all such operators
    /// and attributes are listed in one error.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        let path = path.as_ref();
        let in_file = |e: &dyn fmt::Display| Error::file(format!("{}: {e}", path.display()));
        // A directory gives no bytes, a device may give bytes without end.
        let metadata = std::fs::metadata(path).map_err(|e| in_file(&e))?;
        if !metadata.is_file() {
            return Err(in_file(if metadata.is_dir() {
                &"a directory, not a file"
            } else {
                &"a device or a pipe, not a file"
            }));
        }
        let bytes = std::fs::read(path).map_err(|e| in_file(&e))?;
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let prefixed = |e: Error| Error::new(e.kind(), format!("{}: {e}", path.display()));
        Model::parse(bytes.into(), Some(directory)).map_err(prefixed)
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// As [`Model::load`]; the weights lie in other files.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        Model::parse(Bytes::copy_from_slice(bytes), None)
    }

    fn parse(bytes: Bytes, directory: Option<&Path>) -> Result<Model> {
        if bytes.is_empty() {
            return Err(Error::file("the file is empty"));
        }
        let proto = ModelProto::decode(bytes).map_err(|e| Error::file(format!("not an ONNX model: {e}")))?;
        let opset = versions(&proto)?;
        let Some(graph) = proto.graph else { return Err(Error::file("not an ONNX model: it holds no graph")) };
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
        let mut names = HashSet::new();
        if let Some(twice) = inputs.iter().find(|v| !names.insert(v.name.as_str())) {
            return Err(Error::file(format!("two inputs are named {}", twice.name)));
        }
        let given = inputs.iter().map(|v| v.name.as_str()).chain(constants.keys().map(String::as_str));
        let nodes = order::sort(nodes, given)?;
        let outputs = graph.output.iter().map(value_info).collect::<Result<Vec<_>>>()?;
        let mut model = Model { opset, nodes, constants, inputs, outputs, shape_inputs: vec![] };
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

    /// Makes the network ready for a device, with the default options; [`Session::new_async`] takes others.
    ///
    /// # Errors
    /// As there.
    pub async fn compile_async(self, device: &Device) -> Result<Session> {
        Session::new_async(device, self, &CompileOptions::default()).await
    }

    /// What a run is given, constants aside.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.inputs
    }

    /// What a run gives.
    pub fn outputs(&self) -> &[ValueInfo] {
        &self.outputs
    }

    /// The version of ONNX's operator set that the model is written in.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The number of weights and other constants, in elements.
    pub fn parameters(&self) -> usize {
        self.constants.values().map(Tensor::numel).sum()
    }

    /// How often the model uses each operator, by name. Constants do not count.
    pub fn operators(&self) -> std::collections::BTreeMap<&str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for node in &self.nodes {
            *counts.entry(node.op_type()).or_default() += 1;
        }
        counts
    }

    /// The network for inputs of these descriptions. An input whose value is given becomes part of the network; one
    /// that [`Network::shape_inputs`] lists must be.
    ///
    /// # Errors
    /// An input is missing, unknown or does not fit its declaration; a node's inputs do not fit; a shape depends on
    /// values computed on the device; something is unsupported (all such nodes are listed in one error).
    pub fn graph(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        self.check_inputs(inputs)?;
        import::lower(self, inputs)
    }

    fn check_inputs(&self, given: &[Given<'_>]) -> Result<()> {
        let names = || self.inputs.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut sizes: HashMap<&str, usize> = HashMap::new();
        for info in &self.inputs {
            let Some(Given { desc, value, .. }) = given.iter().find(|g| g.name == info.name) else {
                return Err(Error::argument(format!("the input {info} is missing; inputs: {}", names())));
            };
            if let Some(value) = value
                && value.desc() != *desc
            {
                return Err(Error::argument(format!("the input {info} is {desc}, its value {}", value.desc())));
            }
            info.check(desc, &mut sizes)?;
        }
        match given.iter().find(|g| !self.inputs.iter().any(|v| v.name == g.name)) {
            Some(g) => Err(Error::argument(format!("there is no input {}; inputs: {}", g.name, names()))),
            None => Ok(()),
        }
    }
}

impl Network for Model {
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        self.graph(inputs)
    }
    fn shape_inputs(&self) -> Vec<String> {
        self.shape_inputs.clone()
    }
    fn fixed_inputs(&self) -> Option<Vec<(String, Desc)>> {
        self.inputs.iter().map(|v| Some((v.name.clone(), v.fixed()?))).collect()
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |infos: &[ValueInfo]| infos.iter().map(ValueInfo::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "Model({} nodes, {} -> {})", self.nodes.len(), list(&self.inputs), list(&self.outputs))
    }
}

impl ValueInfo {
    /// The description, if every extent is fixed.
    pub fn fixed(&self) -> Option<Desc> {
        let extent = |dim: &Dim| if let Dim::Fixed(n) = dim { Some(*n) } else { None };
        let shape = self.dims.as_ref()?.iter().map(extent).collect::<Option<Vec<_>>>()?;
        Some(Desc::new(shape, self.dtype))
    }

    /// An error unless a tensor described so may be given for this value. `sizes` are those of named dimensions.
    fn check<'a>(&'a self, desc: &Desc, sizes: &mut HashMap<&'a str, usize>) -> Result<()> {
        let mut fits = self.dtype == desc.dtype;
        if let Some(dims) = &self.dims {
            fits &= dims.len() == desc.rank();
            fits &= dims.iter().zip(&desc.shape).all(|(dim, &n)| match dim {
                Dim::Fixed(m) => *m == n,
                Dim::Named(name) => *sizes.entry(name).or_insert(n) == n,
                Dim::Unknown => true,
            });
        }
        if fits {
            return Ok(());
        }
        let text = format!("the input {self} is given {desc}");
        let named: Vec<_> = sizes.iter().map(|(name, n)| format!("{name} = {n}")).collect();
        Err(Error::shape(if named.is_empty() { text } else { format!("{text} ({})", named.join(", ")) }))
    }
}

impl fmt::Display for ValueInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.dtype)?;
        let Some(dims) = &self.dims else { return f.write_str("[..]") };
        let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Named(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
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
        let at = |e: Error| Error::new(e.kind(), format!("initialiser {}: {e}", proto.name()));
        let tensor = tensor_proto::read(proto, directory).map_err(at)?;
        if out.insert(proto.name().to_owned(), tensor).is_some() {
            return Err(Error::file(format!("two initialisers are named {}", proto.name())));
        }
    }
    Ok(out)
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
    let at = |e: Error| Error::new(e.kind(), format!("the value {name}: {e}"));
    let dtype = tensor_proto::dtype(tensor.elem_type()).map_err(at)?;
    let dim = |d: &super::proto::DimensionProto| match (d.dim_value, d.dim_param()) {
        (Some(-1), _) => Ok(Dim::Unknown), // not the standard's, but written by exporters
        (Some(n), _) => usize::try_from(n)
            .map(Dim::Fixed)
            .map_err(|_| Error::file(format!("the value {name} has the negative dimension {n}"))),
        (None, "" | "?") => Ok(Dim::Unknown), // Paddle's exporter names every open extent "?"
        (None, name) => Ok(Dim::Named(name.to_owned())),
    };
    let dims = tensor.shape.as_ref().map(|s| s.dim.iter().map(dim).collect::<Result<Vec<_>>>()).transpose()?;
    Ok(ValueInfo { name, dtype, dims })
}

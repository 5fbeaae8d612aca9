//! ONNX models: decoded and checked.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message;
use prost::bytes::Bytes;
use rayon::prelude::*;

use super::functions::Definitions;
use super::import::{self, NodeView};
use super::network::{Declared, Model};
use super::node::{self, Node};
use super::nodes;
use super::order;
use super::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto, data_type,
};
use super::reader;
use super::reads;
use super::registry::Registry;
use super::tensor_proto::{self, Folder};
use crate::error::{Error, Result};
use crate::memory;
use crate::shape::{DType, Dim, ValueInfo};
use crate::tensor::Tensor;

/// The oldest file format: before it, attributes carry no types.
const OLDEST_IR: i64 = 3;

/// The file format from which on an initialiser that is an input as well is only what the input is by default.
const DEFAULTS_IR: i64 = 4;

impl Model {
    /// Reads a model from its file; weights in external files are only looked for in its folder or below (if it is
    /// a link, in the folder of the file behind it, too).
    ///
    /// # Errors
    /// The file cannot be read, is not an ONNX model, is broken, or needs something unsupported: all such operators and
    /// attributes are listed in one error.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        Model::load_with(path, &Registry::new())
    }

    /// The same with operators of the program's own.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry) -> Result<Model> {
        let path = path.as_ref();
        let unread = |e: std::io::Error| Error::io(path, e);
        // A directory cannot be read; a device may never end.
        let metadata = std::fs::metadata(path).map_err(unread)?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() { "a directory" } else { "a device or a pipe" };
            return Err(Error::file(format!("{}: {what}, not a file", path.display())));
        }
        memory::afford(metadata.len(), || path.display().to_string())?;
        let folder = Folder::of(path).map_err(unread)?;
        let mut file = std::fs::File::open(path).map_err(unread)?;
        let read = match reader::read(&mut file, metadata.len()).map_err(unread)? {
            Some(proto) if proto.ir_version() >= OLDEST_IR => Ok(proto),
            _ => decode(std::fs::read(path).map_err(unread)?.into()),
        };
        read.and_then(|proto| Model::parse(proto, Some(&folder), registry)).map_err(|e| e.within(path.display()))
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// As [`Model::load`]; the weights are in external files.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        Model::from_bytes_with(bytes, &Registry::new())
    }

    /// The same with operators of the program's own.
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    pub fn from_bytes_with(bytes: &[u8], registry: &Registry) -> Result<Model> {
        Model::parse(decode(Bytes::copy_from_slice(bytes))?, None, registry)
    }

    fn parse(proto: ModelProto, folder: Option<&Folder>, registry: &Registry) -> Result<Model> {
        let opset = version(&proto)?;
        let ir = proto.ir_version();
        let producer = format!("{} {}", proto.producer_name(), proto.producer_version()).trim().to_owned();
        let entry = |e: &StringStringEntryProto| (e.key().to_owned(), e.value().to_owned());
        let metadata = proto.metadata_props.iter().map(entry).collect();
        let Some(mut graph) = proto.graph else { return Err(Error::file("not an ONNX model: it holds no graph")) };
        let held_tensors = take_elements(&mut graph);
        let definitions = Definitions::new(proto.functions, registry.clone(), folder)?;
        let nodes = node::named(std::mem::take(&mut graph.node), opset);
        let given: Vec<&str> = graph.input.iter().map(|v| v.name()).chain(held(&graph)).collect();
        let outputs: Vec<&str> = graph.output.iter().map(|v| v.name()).collect();
        let mut left = node::MOST_NODES;
        let mut nodes = nodes::ready(nodes, &outputs, &definitions, &given, &mut left)?;
        nodes.iter_mut().try_for_each(|node| tensor_proto::embed(&mut node.proto, folder))?;
        let halves = halves(&graph, &nodes);
        let has_u64 = has_u64(&graph) || nodes.iter().any(|node| names_u64(&node.proto));
        let mut nibbles: HashSet<String> =
            graph.initializer.iter().filter(|t| tensor_proto::is_nibbles(t)).map(|t| t.name().to_owned()).collect();
        let read = reads::read(&nodes, &outputs);
        let mut constants = initialisers(held_tensors, &graph, &read, folder)?;
        let (optional, inputs) = inputs(&graph, &read)?;
        let nodes = constant_nodes(nodes, registry, &mut constants, &mut nibbles)?;
        let given = inputs.iter().map(|v| v.name.as_str()).chain(constants.keys().map(String::as_str));
        let nodes = order::sort(nodes, given)?;
        let mut outputs = graph.output.iter().map(|v| value_info(typed(v, &graph))).collect::<Result<Vec<_>>>()?;
        named_once("outputs", &outputs)?;
        for output in outputs.iter_mut().filter(|v| v.dtype.is_none()) {
            output.dtype = halves.get(&output.name).copied();
        }
        // Before that version what an initialiser holds is fixed.
        let optional = if ir >= DEFAULTS_IR { optional } else { vec![] };
        let shape_inputs = vec![];
        let declared = Declared { inputs: [&inputs[..], &optional[..]].concat(), outputs: outputs.clone() };
        let mut model = Model {
            opset,
            producer,
            metadata,
            nodes,
            definitions,
            constants,
            inputs,
            optional,
            outputs,
            declared,
            shape_inputs,
            halves,
            nibbles,
            has_u64,
        };
        model.check_outputs()?;
        model.shape_inputs = import::trace::shape_inputs(&model);
        Ok(model)
    }

    fn check_outputs(&self) -> Result<()> {
        // An empty name is an output that a node leaves out.
        let made = self.nodes.iter().flat_map(|n| &n.output).filter(|name| !name.is_empty());
        let given = self.inputs.iter().map(|v| &v.name);
        let defined: HashSet<&String> = self.constants.keys().chain(given).chain(made).collect();
        match self.outputs.iter().find(|v| !defined.contains(&v.name)) {
            Some(v) => Err(Error::file(format!("nothing defines the output {}", v.name))),
            None if self.outputs.is_empty() => Err(Error::file("the model has no outputs")),
            None => Ok(()),
        }
    }
}

/// The model in the bytes of a file.
fn decode(bytes: Bytes) -> Result<ModelProto> {
    if bytes.is_empty() {
        return Err(Error::file("the file is empty"));
    }
    let decoded = ModelProto::decode(bytes.clone());
    let read = decoded.as_ref().is_ok_and(|proto| proto.ir_version() >= OLDEST_IR);
    if !read && let Some(what) = what_else(&bytes) {
        return Err(Error::file(format!("not an ONNX model but {what}; only ONNX files (.onnx) are read")));
    }
    decoded.map_err(|e| Error::file(format!("not an ONNX model: {e}")).because(e))
}

/// What the bytes of a file are, if they begin as those of another kind that holds networks, weights or text.
fn what_else(bytes: &[u8]) -> Option<&'static str> {
    let readable = |c: char| !c.is_control() || c.is_whitespace();
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|t| t.chars().all(readable));
    // The length of the header, and then the header as JSON.
    let safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
    match bytes {
        _ if safetensors => Some("weights in safetensors"),
        [b'P', b'K', 3 | 5, _, ..] => Some("a ZIP archive, as PyTorch (.pt, .pth), NumPy (.npz) and Keras write them"),
        [0x80, 2..=5, ..] => Some("a Python pickle"),
        [0x89, b'H', b'D', b'F', ..] => Some("an HDF5 file, as Keras writes them"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some("a NumPy array"),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some("a TensorFlow Lite model"),
        [b'G', b'G', b'U', b'F', ..] => Some("a GGUF file"),
        _ if text(bytes) => Some("a text"),
        _ => None,
    }
}

fn named_once(what: &str, infos: &[ValueInfo]) -> Result<()> {
    let mut names = HashSet::new();
    match infos.iter().find(|v| !names.insert(v.name.as_str())) {
        Some(twice) => Err(Error::file(format!("two {what} are named {}", twice.name))),
        None => Ok(()),
    }
}

/// The version of the default operator set; the newest one where all nodes are of other domains.
fn version(proto: &ModelProto) -> Result<i64> {
    let ir = proto.ir_version();
    if ir < OLDEST_IR {
        return Err(Error::unsupported(format!(
            "IR version {ir} (from {OLDEST_IR} on are read); is it an ONNX model?"
        )));
    }
    if let Some(version) = node::version(&proto.opset_import)? {
        return Ok(version);
    }
    let mut nodes = proto.graph.iter().flat_map(|g| &g.node);
    if proto.opset_import.is_empty() || nodes.any(|n| node::is_default(n.domain())) {
        return Err(Error::file("the model does not say which operator set it uses"));
    }
    Ok(*node::OPSETS.end())
}

/// The names of the initialisers.
fn held(graph: &GraphProto) -> impl Iterator<Item = &str> {
    graph.initializer.iter().map(|t| t.name())
}

/// Takes the initialisers out; those that stay have a name and a type only.
fn take_elements(graph: &mut GraphProto) -> Vec<TensorProto> {
    let described =
        |t: &TensorProto| TensorProto { name: t.name.clone(), data_type: t.data_type, ..Default::default() };
    let all = std::mem::take(&mut graph.initializer);
    graph.initializer = all.iter().map(described).collect();
    all
}

/// The initialisers that are read. Each is dropped once its elements are made.
fn initialisers(
    all: Vec<TensorProto>,
    graph: &GraphProto,
    read: &HashSet<&str>,
    folder: Option<&Folder>,
) -> Result<HashMap<String, Tensor>> {
    let sparse = graph.sparse_initializer.iter().filter_map(|s| s.values.as_ref());
    if let Some(values) = sparse.into_iter().find(|values| read.contains(values.name())) {
        return Err(Error::unsupported(format!("the initialiser {} is sparse", values.name())));
    }
    let mut out = HashMap::new();
    let wanted = all.into_par_iter().filter(|proto| read.contains(proto.name()));
    let made = wanted.map(|proto| (proto.name().to_owned(), tensor_proto::initialiser(&proto, folder)));
    for (name, tensor) in made.collect::<Vec<_>>() {
        if out.contains_key(&name) {
            return Err(Error::file(format!("two initialisers are named {name}")));
        }
        out.insert(name, tensor?);
    }
    Ok(out)
}

/// The values that the file declares as floats of 16 bits.
fn halves(graph: &GraphProto, nodes: &[Node]) -> HashMap<String, DType> {
    let typed = graph.input.iter().chain(&graph.value_info).chain(&graph.output);
    let of_values = typed.filter_map(|v| Some((v.name(), v.r#type.as_ref()?.tensor_type.as_ref()?.elem_type())));
    let of_constants = graph.initializer.iter().map(|t| (t.name(), t.data_type()));
    let of_casts = nodes.iter().filter(|n| n.op_type() == "Cast").filter_map(|n| {
        let to = n.attribute.iter().find(|a| a.name() == "to")?.i();
        Some((n.output.first()?.as_str(), i32::try_from(to).ok()?))
    });
    let half = |(name, number): (&str, i32)| {
        let dtype = tensor_proto::dtype(number).ok().filter(|d| matches!(d, DType::F16 | DType::BF16))?;
        Some((name.to_owned(), dtype))
    };
    let mut found: HashMap<String, DType> = of_values.chain(of_constants).chain(of_casts).filter_map(half).collect();
    pass_on(&mut found, graph, nodes);
    found
}

/// Whether a graph declares or makes elements of u64.
fn has_u64(graph: &GraphProto) -> bool {
    let is = |number: i32| number == data_type::UINT64;
    let typed = graph.input.iter().chain(&graph.value_info).chain(&graph.output);
    let mut types = typed.filter_map(|v| Some(v.r#type.as_ref()?.tensor_type.as_ref()?.elem_type()));
    types.any(is) || graph.initializer.iter().any(|t| is(t.data_type())) || graph.node.iter().any(names_u64)
}

/// Whether a node converts to u64, has a tensor of it, or a branch that does.
fn names_u64(node: &NodeProto) -> bool {
    let is = |number: i32| number == data_type::UINT64;
    node.attribute.iter().any(|a| {
        ["to", "dtype"].contains(&a.name()) && a.i() == i64::from(data_type::UINT64)
            || a.t.as_ref().is_some_and(|t| is(t.data_type()))
            || a.g.as_deref().is_some_and(has_u64)
    })
}

/// Adds the outputs without a type that are computed from halves. The result of nearly every operator has the type of its
/// inputs.
fn pass_on(halves: &mut HashMap<String, DType>, graph: &GraphProto, nodes: &[Node]) {
    let untyped =
        |v: &&ValueInfoProto| v.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).is_none_or(|t| t.elem_type() == 0);
    let wanted: Vec<&str> = graph.output.iter().filter(untyped).map(|v| v.name()).collect();
    if wanted.is_empty() {
        return;
    }
    let mut found = halves.clone();
    let mut before = None;
    // Nodes may come in any order.
    while before.replace(found.len()) != Some(found.len()) {
        for node in nodes.iter().filter(|n| !["Cast", "QuantizeLinear"].contains(&n.op_type())) {
            let from = if node.op_type() == "CastLike" { &node.input[1..] } else { &node.input[..] };
            let Some(dtype) = from.iter().find_map(|name| found.get(name).copied()) else { continue };
            for name in &node.output {
                found.entry(name.clone()).or_insert(dtype);
            }
        }
    }
    for name in wanted {
        if let Some(dtype) = found.get(name) {
            halves.insert(name.to_owned(), *dtype);
        }
    }
}

/// The inputs which the file has a value for, and the others. One that nothing reads may be of any type; if it is no
/// tensor of a type that is supported, it is left out.
fn inputs(graph: &GraphProto, read: &HashSet<&str>) -> Result<(Vec<ValueInfo>, Vec<ValueInfo>)> {
    let mut inputs = vec![];
    for proto in &graph.input {
        match input_info(proto) {
            Err(e) if read.contains(proto.name()) => return Err(e),
            Err(_) => {}
            Ok(info) => inputs.push(info),
        }
    }
    named_once("inputs", &inputs)?;
    let held: HashSet<&str> = held(graph).collect();
    Ok(inputs.into_iter().partition(|v| held.contains(v.name.as_str())))
}

/// Moves the values of Constant nodes to the constants, unless they are the registry's; the other nodes. `nibbles` get the names
/// of those whose elements have 4 bits.
fn constant_nodes(
    nodes: Vec<Node>,
    registry: &Registry,
    constants: &mut HashMap<String, Tensor>,
    nibbles: &mut HashSet<String>,
) -> Result<Vec<Node>> {
    let mut rest = vec![];
    for node in nodes {
        if node.op_type() != "Constant" || registry.find(&node).is_some() {
            rest.push(node);
            continue;
        }
        let at = |e: Error| e.at(node.name());
        let view = NodeView::new(&node, vec![]);
        let value = import::constant::value(&view).map_err(at)?;
        let [name] = &node.output[..] else {
            return Err(at(Error::file("a Constant node has one output")));
        };
        if constants.insert(name.clone(), value).is_some() {
            return Err(at(Error::file(format!("the value {name} is defined twice"))));
        }
        if view.has_nibbles("value") {
            nibbles.insert(name.clone());
        }
    }
    Ok(rest)
}

fn input_info(proto: &ValueInfoProto) -> Result<ValueInfo> {
    let info = value_info(proto)?;
    if info.dtype.is_none() {
        return Err(Error::unsupported(format!(
            "the input {} is not declared as a tensor of a type: sequences, maps and values without a type cannot be given",
            info.name
        )));
    }
    Ok(info)
}

/// An output as the file describes it among the values inside, if it is declared by its name alone.
fn typed<'g>(output: &'g ValueInfoProto, graph: &'g GraphProto) -> &'g ValueInfoProto {
    let described = || graph.value_info.iter().find(|v| v.name() == output.name());
    if output.r#type.is_some() { output } else { described().unwrap_or(output) }
}

/// Of a value that is declared by its name alone neither type nor shape is known.
fn value_info(proto: &ValueInfoProto) -> Result<ValueInfo> {
    let at = |e: Error| e.within(format_args!("the value {}", proto.name()));
    let tensor = proto.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let number = tensor.map_or(0, |t| t.elem_type());
    let dtype = if number == 0 { None } else { Some(tensor_proto::dtype(number).map_err(at)?) };
    let dims = tensor.and_then(|t| t.shape.as_ref()).map(|s| s.dim.iter().map(dim).collect::<Result<Vec<_>>>());
    Ok(ValueInfo::new(proto.name(), dtype, dims.transpose().map_err(at)?))
}

fn dim(proto: &DimensionProto) -> Result<Dim> {
    match (proto.dim_value, proto.dim_param()) {
        (Some(-1), _) => Ok(Dim::Unknown), // not in the standard, but exporters write it
        (Some(n), _) => {
            usize::try_from(n).map(Dim::Fixed).map_err(|_| Error::file(format!("the negative dimension {n}")))
        }
        (None, name) if names_any(name) => Ok(Dim::Unknown),
        (None, name) => Ok(Dim::Named(name.to_owned())),
    }
}

/// Whether the name of an extent says only that it is open, so that two of them may differ: Paddle writes "?" for all,
/// older converters "None", tf2onnx "unk__6"; numbers may follow such a word.
fn names_any(name: &str) -> bool {
    const WORDS: [&str; 14] =
        ["", "?", "*", "-", "none", "null", "nan", "any", "unk", "unknown", "undefined", "dyn", "dynamic", "dim"];
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

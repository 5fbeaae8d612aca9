//! Damaged files: random changes of bytes, and changes of the structure of ONNX models.

use convgpu::internals::model::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use prost::Message;

use convgpu::internals::conformance::EDGES;

use super::support::Rng;

const FLOATS: [f32; 10] = [0.0, -0.0, 1.0, -1.0, 0.5, 1e38, 1e-40, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];

/// One of these.
pub fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> Option<&'a T> {
    if list.is_empty() { None } else { list.get(rng.int(0, list.len() - 1)) }
}

fn pick_mut<'a, T>(rng: &mut Rng, list: &'a mut [T]) -> Option<&'a mut T> {
    if list.is_empty() { None } else { Some(&mut list[rng.next() as usize % list.len()]) }
}

pub fn edge(rng: &mut Rng) -> i64 {
    EDGES[rng.int(0, EDGES.len() - 1)]
}

/// A damaged file made from one or two of these.
pub fn damaged(rng: &mut Rng, files: &[Vec<u8>]) -> Vec<u8> {
    let mut file = files[rng.int(0, files.len() - 1)].clone();
    for _ in 0..rng.int(1, 4) {
        let other = &files[rng.int(0, files.len() - 1)];
        change_bytes(rng, &mut file, other);
    }
    file
}

/// Flips a bit, sets a byte, cuts the end off, removes or doubles a run of bytes, or copies one from another file.
fn change_bytes(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.int(0, bytes.len() - 1);
    let run = if rng.int(0, 3) == 0 { rng.int(1, 512) } else { rng.int(1, 12) };
    let end = (at + run).min(bytes.len());
    match rng.int(0, 7) {
        0 => bytes[at] ^= 1 << rng.int(0, 7),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.int(0, 4)],
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let doubled = bytes[at..end].to_vec();
            bytes.splice(at..at, doubled);
        }
        5 => bytes[at..end].fill([0, 0xff][rng.int(0, 1)]),
        6 if !other.is_empty() => {
            bytes.truncate(at);
            bytes.extend(&other[rng.int(0, other.len() - 1)..]);
        }
        _ if !other.is_empty() => {
            let from = rng.int(0, other.len() - 1);
            let taken = other[from..(from + run).min(other.len())].to_vec();
            bytes.splice(at..end, taken);
        }
        _ => {}
    }
}

/// A model with one to five changes that keep it a protobuf message.
pub fn changed_model(rng: &mut Rng, models: &[ModelProto]) -> Vec<u8> {
    let mut model = models[rng.int(0, models.len() - 1)].clone();
    let other = &models[rng.int(0, models.len() - 1)];
    for _ in 0..rng.int(1, 5) {
        if rng.int(0, 30) == 0
            && let Some(set) = pick_mut(rng, &mut model.opset_import)
        {
            set.version = Some(rng.int(5, 26) as i64);
        }
        if rng.int(0, 9) == 0 {
            to_function(rng, &mut model);
        }
        if let (Some(graph), Some(other)) = (&mut model.graph, &other.graph) {
            change_graph(rng, graph, other);
        }
    }
    model.encode_to_vec()
}

/// A node becomes a call of a function that has it as its body, some of its attributes those of the call; now and then the
/// function calls itself or another one, or lacks an input.
fn to_function(rng: &mut Rng, model: &mut ModelProto) {
    let Some(node) = model.graph.as_mut().and_then(|graph| pick_mut(rng, &mut graph.node)) else { return };
    let name = |k: usize| Some(format!("f{k}"));
    let domain = Some("local".to_owned());
    let mut body = node.clone();
    node.op_type = name(model.functions.len());
    node.domain.clone_from(&domain);
    for attribute in &mut body.attribute {
        if rng.int(0, 1) == 0 {
            let (own, r#type) = (attribute.name.clone(), attribute.r#type);
            *attribute = AttributeProto { name: own.clone(), ref_attr_name: own, r#type, ..Default::default() };
        }
    }
    let (mut input, output) = (node.input.clone(), node.output.clone());
    if rng.int(0, 9) == 0 {
        input.pop();
    }
    let mut nodes = vec![body];
    if rng.int(0, 4) == 0 {
        let callee = name(rng.int(0, model.functions.len()));
        nodes.push(NodeProto { op_type: callee, output: vec!["again".to_owned()], ..node.clone() });
    }
    let name = name(model.functions.len());
    model.functions.push(FunctionProto { name, domain, input, output, node: nodes, ..Default::default() });
}

/// Operators of ONNX Runtime's domain.
const FUSED: [&str; 8] = [
    "BiasGelu",
    "FastGelu",
    "FusedConv",
    "FusedGemm",
    "FusedMatMul",
    "NhwcConv",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
];

fn change_graph(rng: &mut Rng, graph: &mut GraphProto, other: &GraphProto) {
    match rng.int(0, 16) {
        0..=3 => {
            if let Some(attribute) = pick_mut(rng, &mut graph.node).and_then(|n| pick_mut(rng, &mut n.attribute)) {
                change_attribute(rng, attribute);
            }
        }
        4..=5 => {
            if let Some(tensor) = pick_mut(rng, &mut graph.initializer) {
                change_tensor(rng, tensor);
            }
        }
        6 => change_input(rng, graph),
        7 => {
            let operator = pick(rng, &other.node).cloned();
            if let (Some(node), Some(operator)) = (pick_mut(rng, &mut graph.node), operator) {
                node.op_type = operator.op_type;
                if rng.int(0, 1) == 0 {
                    node.attribute = operator.attribute;
                }
            }
        }
        8 => {
            let from = pick(rng, &other.node).and_then(|n| pick(rng, &n.attribute)).cloned();
            if let (Some(node), Some(attribute)) = (pick_mut(rng, &mut graph.node), from) {
                node.attribute.push(attribute);
            }
        }
        9..=10 => rewire(rng, graph),
        11 => {
            let at = rng.int(0, graph.node.len());
            match pick(rng, &graph.node).cloned() {
                Some(twin) if rng.int(0, 1) == 0 => graph.node.insert(at, renamed(rng, twin)),
                Some(_) => drop(graph.node.remove(at.min(graph.node.len() - 1))),
                None => {}
            }
        }
        12 => {
            let removed = pick(rng, &graph.initializer).map(|t| t.name().to_owned());
            graph.initializer.retain(|t| Some(t.name()) != removed.as_deref());
        }
        13 => {
            if let Some(attributes) = pick_mut(rng, &mut graph.node).map(|n| &mut n.attribute) {
                attributes.pop();
            }
        }
        14 => {
            if let Some(node) = pick_mut(rng, &mut graph.node) {
                let fused = FUSED[rng.int(0, FUSED.len() - 1)].to_owned();
                (node.op_type, node.domain) = (Some(fused), Some("com.microsoft".to_owned()));
            }
        }
        15 => {
            let held = pick(rng, &graph.initializer).and_then(|t| t.name.clone());
            let like = pick(rng, &graph.input).cloned().unwrap_or_default();
            graph.input.push(ValueInfoProto { name: held, ..like });
        }
        _ => {
            if let Some(output) = pick_mut(rng, &mut graph.output) {
                output.r#type = None;
            }
        }
    }
}

/// The node with other names for its outputs, sometimes with the same.
fn renamed(rng: &mut Rng, mut node: NodeProto) -> NodeProto {
    if rng.int(0, 3) > 0 {
        node.output.iter_mut().for_each(|name| name.push('\''));
    }
    node
}

/// Changes an input of a node to another value or none, or the name of an output of the network. May make a cycle.
fn rewire(rng: &mut Rng, graph: &mut GraphProto) {
    let made = graph.node.iter().flat_map(|n| &n.output).cloned();
    let given = graph.input.iter().map(|v| v.name().to_owned());
    let mut names: Vec<String> = made.chain(given).collect();
    names.push(String::new());
    let Some(name) = pick(rng, &names).cloned() else { return };
    match rng.int(0, 4) {
        0 => {
            if let Some(output) = pick_mut(rng, &mut graph.output) {
                output.name = Some(name);
            }
        }
        1 => {
            if let Some(node) = pick_mut(rng, &mut graph.node) {
                node.input.push(name);
            }
        }
        _ => {
            if let Some(input) = pick_mut(rng, &mut graph.node).and_then(|n| pick_mut(rng, &mut n.input)) {
                *input = name;
            }
        }
    }
}

fn change_attribute(rng: &mut Rng, attribute: &mut AttributeProto) {
    if let Some(f) = &mut attribute.f {
        *f = FLOATS[rng.int(0, FLOATS.len() - 1)];
    }
    if let Some(i) = &mut attribute.i {
        *i = edge(rng);
    }
    if let Some(t) = &mut attribute.t {
        change_tensor(rng, t);
    }
    change_list(rng, &mut attribute.ints, edge);
    change_list(rng, &mut attribute.floats, |rng| FLOATS[rng.int(0, FLOATS.len() - 1)]);
    if rng.int(0, 9) == 0 {
        attribute.r#type = Some(rng.int(0, 8) as i32);
    }
}

/// Changes, adds or removes an element.
fn change_list<T>(rng: &mut Rng, list: &mut Vec<T>, value: impl Fn(&mut Rng) -> T) {
    match rng.int(0, 7) {
        0 => drop(list.pop()),
        1 => list.push(value(rng)),
        _ => {
            let new = value(rng);
            if let Some(element) = pick_mut(rng, list) {
                *element = new;
            }
        }
    }
}

fn change_tensor(rng: &mut Rng, tensor: &mut TensorProto) {
    match rng.int(0, 4) {
        0 => change_list(rng, &mut tensor.dims, edge),
        1 => tensor.data_type = Some(rng.int(0, 17) as i32),
        // Zeros in front, so that both shapes are empty.
        2 => {
            *tensor = TensorProto {
                name: tensor.name.clone(),
                data_type: tensor.data_type,
                dims: vec![edge(rng), 0, edge(rng)],
                ..Default::default()
            }
        }
        _ => {
            change_list(rng, &mut tensor.int64_data, edge);
            change_raw(rng, tensor);
        }
    }
}

/// Overwrites eight bytes of the raw data, at a multiple of eight.
fn change_raw(rng: &mut Rng, tensor: &mut TensorProto) {
    let Some(raw) = &tensor.raw_data else { return };
    let mut bytes = raw.to_vec();
    if let Some(word) = bytes.chunks_exact_mut(8).nth(rng.int(0, (raw.len() / 8).saturating_sub(1))) {
        word.copy_from_slice(&edge(rng).to_le_bytes());
    }
    tensor.raw_data = Some(bytes.into());
}

/// Changes an extent, the type or the number of axes of an input.
fn change_input(rng: &mut Rng, graph: &mut GraphProto) {
    let tensor = pick_mut(rng, &mut graph.input).and_then(|v| v.r#type.as_mut()).and_then(|t| t.tensor_type.as_mut());
    let Some(tensor) = tensor else { return };
    if rng.int(0, 4) == 0 {
        tensor.elem_type = Some(rng.int(0, 17) as i32);
    }
    if let Some(shape) = &mut tensor.shape {
        change_list(rng, &mut shape.dim, |rng| convgpu::internals::model::proto::DimensionProto {
            dim_value: Some(if rng.int(0, 1) == 0 { edge(rng) } else { rng.int(0, 5) as i64 }),
            dim_param: None,
        });
    }
}

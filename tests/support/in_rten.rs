//! What rten has. Whatever of it convgpu has as well, the differential tests compare with it.

use convgpu::internals::model::proto::GraphProto;
use prost::Message;

use crate::onnx_build::{model, node, of, untyped};

/// Whether rten knows an operator, as it is built here: what it says of a bare node of it is not that there is none.
pub fn has(domain: &str, op: &str) -> bool {
    let node = of(domain, node(op, &[], &["y"], vec![]));
    let graph = GraphProto { node: vec![node], output: vec![untyped("y")], ..Default::default() };
    let refusal = rten::Model::load(model(graph).encode_to_vec()).err().map_or(String::new(), |e| e.to_string());
    !["operator not supported", "operator not enabled"].iter().any(|none| refusal.contains(none))
}

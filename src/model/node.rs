//! A node with a name and the operator set that it is written in.

use std::ops::Deref;

use super::proto::{NodeProto, OperatorSetIdProto};
use crate::error::{Error, Result};

/// Versions of the default operator set that are understood.
pub(crate) const OPSETS: std::ops::RangeInclusive<i64> = 1..=28;

/// Nodes that a model may have: some seconds of planning, far above any network.
pub(crate) const MOST_NODES: usize = 1 << 20;

/// A node and the version of the default operator set, which a function may have of its own.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub proto: NodeProto,
    pub opset: i64,
}

impl Deref for Node {
    type Target = NodeProto;
    fn deref(&self) -> &NodeProto {
        &self.proto
    }
}

/// Gives nodes without a name one.
pub(crate) fn named(nodes: Vec<NodeProto>, opset: i64) -> Vec<Node> {
    let name = |(k, mut proto): (usize, NodeProto)| {
        if proto.name().is_empty() {
            proto.name = Some(format!("{}_{k}", proto.op_type()));
        }
        Node { proto, opset }
    };
    nodes.into_iter().enumerate().map(name).collect()
}

/// A node that gives a value another name.
pub(crate) fn identity(call: &Node, from: &str, to: &str) -> Node {
    let proto = NodeProto {
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        name: Some(format!("{}/{to}", call.name())),
        op_type: Some("Identity".to_owned()),
        ..Default::default()
    };
    Node { proto, opset: call.opset }
}

/// Whether a domain is that of ONNX's own operators.
pub(crate) fn is_default(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The version of the default operator set, if the list names it.
///
/// # Errors
/// It is a version that is not understood.
pub(crate) fn version(sets: &[OperatorSetIdProto]) -> Result<Option<i64>> {
    let Some(set) = sets.iter().find(|s| is_default(s.domain())) else { return Ok(None) };
    if !OPSETS.contains(&set.version()) {
        let (low, high) = OPSETS.into_inner();
        return Err(Error::unsupported(format!("operator set {} ({low} to {high} are read)", set.version())));
    }
    Ok(Some(set.version()))
}

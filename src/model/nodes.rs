//! The nodes of a graph made ready to be lowered: those that its outputs need, each with a name and the operator set that
//! it is written in.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use super::functions::Definitions;
use super::import::{branch, operators};
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

/// The nodes that these outputs need, with functions in place; each lists all that it reads, what its branches read
/// included. `outside` are names that the nodes may read and not define, `left` is how many nodes there may be.
///
/// # Errors
/// A call does not fit its function; there are too many nodes; operators or attributes are not supported, all in one.
pub(crate) fn ready(
    nodes: Vec<Node>,
    outputs: &[&str],
    definitions: &Definitions,
    outside: &[&str],
    left: &mut usize,
) -> Result<Vec<Node>> {
    let nodes = needed(nodes, outputs);
    let nodes = needed(definitions.inline(nodes, outside, left)?, outputs);
    let mut nodes = operators::check(nodes, &definitions.registry)?;
    nodes.iter_mut().for_each(|node| branch::close_over(&mut node.proto));
    Ok(nodes)
}

/// The nodes that the outputs depend on, in their order.
fn needed(mut nodes: Vec<Node>, outputs: &[&str]) -> Vec<Node> {
    let mut live = sources(nodes.iter().map(|node| &node.proto), outputs).0.into_iter();
    nodes.retain(|_| live.next().unwrap_or_default());
    nodes
}

/// Which of the nodes these values depend on, and the names of values that they depend on and no node makes.
pub(crate) fn sources<'n>(
    nodes: impl IntoIterator<Item = &'n NodeProto>,
    values: &[&'n str],
) -> (Vec<bool>, Vec<&'n str>) {
    let nodes: Vec<&NodeProto> = nodes.into_iter().collect();
    let mut makers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (k, node) in nodes.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            makers.entry(name).or_default().push(k);
        }
    }
    let (mut live, mut others) = (vec![false; nodes.len()], vec![]);
    let mut open = values.to_vec();
    while let Some(name) = open.pop() {
        let Some(makers) = makers.get(name) else {
            others.push(name);
            continue;
        };
        for &k in makers {
            if !std::mem::replace(&mut live[k], true) {
                open.extend(branch::reads(nodes[k]));
            }
        }
    }
    (live, others)
}

/// The names that nodes read, and those of the outputs.
pub(crate) fn read<'n>(nodes: &'n [Node], outputs: &[&'n str]) -> HashSet<&'n str> {
    nodes.iter().flat_map(|node| &node.input).map(String::as_str).chain(outputs.iter().copied()).collect()
}

/// The version of the default operator set, if the list names it.
///
/// # Errors
/// It is a version that is not understood.
pub(crate) fn version(sets: &[OperatorSetIdProto]) -> Result<Option<i64>> {
    let Some(set) = sets.iter().find(|s| operators::is_default(s.domain())) else { return Ok(None) };
    if !OPSETS.contains(&set.version()) {
        let (low, high) = OPSETS.into_inner();
        return Err(Error::unsupported(format!("operator set {} ({low} to {high} are read)", set.version())));
    }
    Ok(Some(set.version()))
}

//! The nodes of a graph made ready to be lowered: those that its outputs need.

use super::functions::Definitions;
use super::import::operators;
use super::node::Node;
use super::reads::{close_over, sources};
use crate::error::Result;

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
    nodes.iter_mut().for_each(|node| close_over(&mut node.proto));
    Ok(nodes)
}

/// The nodes that the outputs depend on, in their order.
pub(super) fn needed(mut nodes: Vec<Node>, outputs: &[&str]) -> Vec<Node> {
    let mut live = sources(nodes.iter().map(|node| &node.proto), outputs).0.into_iter();
    nodes.retain(|_| live.next().unwrap_or_default());
    nodes
}

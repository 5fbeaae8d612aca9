//! What nodes read, what their branches read included.

use std::collections::{HashMap, HashSet};

use super::node::Node;
use super::proto::{GraphProto, NodeProto};

/// Appends what the branches of a node read from outside to the node's inputs, which then are all that it reads.
pub(crate) fn close_over(node: &mut NodeProto) {
    let mut read: Vec<String> = branches(node).flat_map(captures).map(str::to_owned).collect();
    read.sort();
    read.dedup();
    read.retain(|name| !node.input.contains(name));
    node.input.extend(read);
}

/// All that a node reads: its inputs, and what its branches read from outside.
pub(crate) fn reads(node: &NodeProto) -> Vec<&str> {
    node.input.iter().map(String::as_str).chain(branches(node).flat_map(captures)).collect()
}

/// The graphs among a node's attributes.
pub(crate) fn branches(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().filter_map(|a| a.g.as_deref())
}

/// The values that a graph's outputs need and it does not define.
fn captures(graph: &GraphProto) -> Vec<&str> {
    let held: HashSet<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    let outputs: Vec<&str> = graph.output.iter().map(|v| v.name()).collect();
    let (_, mut others) = sources(&graph.node, &outputs);
    others.retain(|name| !name.is_empty() && !held.contains(name));
    others
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
                open.extend(reads(nodes[k]));
            }
        }
    }
    (live, others)
}

/// The names that nodes read, and those of the outputs.
pub(crate) fn read<'n>(nodes: &'n [Node], outputs: &[&'n str]) -> HashSet<&'n str> {
    nodes.iter().flat_map(|node| &node.input).map(String::as_str).chain(outputs.iter().copied()).collect()
}

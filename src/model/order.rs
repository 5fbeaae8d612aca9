//! Sorts nodes so that each comes after what it reads.

use std::collections::{HashMap, HashSet};

use super::node::Node;
use crate::error::{Error, Result};

/// Sorts nodes and keeps the file's order where possible (Kahn's algorithm). `given` are the values that no node makes:
/// inputs and constants.
///
/// # Errors
/// A value is never defined or defined twice, or nodes form a cycle; the error names a node.
pub(crate) fn sort<'a>(nodes: Vec<Node>, given: impl Iterator<Item = &'a str>) -> Result<Vec<Node>> {
    let mut ready: HashSet<&str> = given.collect();
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (k, node) in nodes.iter().enumerate() {
        for name in node.output.iter().filter(|n| !n.is_empty()) {
            if ready.contains(name.as_str()) || maker.insert(name, k).is_some() {
                return Err(Error::file(format!("the value {name} is defined twice")).at(node.name()));
            }
        }
    }
    let mut waiting = vec![0; nodes.len()];
    let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (k, node) in nodes.iter().enumerate() {
        for name in node.input.iter().filter(|n| !n.is_empty() && !ready.contains(n.as_str())) {
            if !maker.contains_key(name.as_str()) {
                return Err(Error::file(format!("reads the value {name}, which nothing defines")).at(node.name()));
            }
            waiting[k] += 1;
            readers.entry(name).or_default().push(k);
        }
    }
    let mut queue: std::collections::BTreeSet<usize> = (0..nodes.len()).filter(|&k| waiting[k] == 0).collect();
    let mut order = vec![];
    while let Some(k) = queue.pop_first() {
        order.push(k);
        for name in nodes[k].output.iter().filter(|n| !n.is_empty()) {
            ready.insert(name);
            for &reader in readers.get(name.as_str()).into_iter().flatten() {
                waiting[reader] -= 1;
                if waiting[reader] == 0 {
                    queue.insert(reader);
                }
            }
        }
    }
    if let Some(stuck) = waiting.iter().position(|&n| n > 0) {
        return Err(Error::file("the node depends on its own output (a cycle)").at(nodes[stuck].name()));
    }
    let mut nodes: Vec<_> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().map(|k| nodes[k].take().expect("each node is ordered once")).collect())
}

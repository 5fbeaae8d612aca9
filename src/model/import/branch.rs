//! If: the condition must be known; the branch that it chooses is lowered in place of the node.

use std::collections::{HashMap, HashSet};

use super::operators::Operator;
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};
use crate::model::proto::{GraphProto, NodeProto};
use crate::model::{nodes, order, tensor_proto};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("If", &["else_branch", "then_branch"], branch).host(&[0])];

/// How deep branches may lie in each other: far above what exporters write.
const MOST_NESTED: usize = 64;

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
    let (_, mut others) = nodes::sources(&graph.node, &outputs);
    others.retain(|name| !name.is_empty() && !held.contains(name));
    others
}

/// <https://onnx.ai/onnx/operators/onnx__If.html>
fn branch(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let condition = node.host_ints(0)?.unwrap_or_default();
    let &[condition] = &condition[..] else {
        return Err(Error::shape(format!("the condition of If is {}, not one value", node.input(0)?.desc())));
    };
    let graph = node.graph(if condition != 0 { "then_branch" } else { "else_branch" })?;
    let outputs: Vec<&str> = graph.output.iter().map(|v| v.name()).collect();
    let mut values: HashMap<&str, Val> = node.named_inputs().map(|(name, value)| (name, value.clone())).collect();
    let mut inside = nodes::named(graph.node.clone(), node.opset);
    inside.iter_mut().for_each(|n| n.proto.name = Some(format!("{}/{}", node.name(), n.name())));
    let outside: Vec<&str> = values.keys().copied().chain(graph.initializer.iter().map(|t| t.name())).collect();
    let inside = import.ready(inside, &outputs, &outside)?;
    let read = nodes::read(&inside, &outputs);
    for tensor in graph.initializer.iter().filter(|t| read.contains(t.name())) {
        let value = tensor_proto::initialiser(tensor, None)?;
        values.insert(tensor.name(), value.into());
    }
    let inside = order::sort(inside, values.keys().copied())?;
    import.depth += 1;
    let lowered = match import.depth > MOST_NESTED {
        true => Err(Error::unsupported(format!("branches of If lie more than {MOST_NESTED} deep in each other"))),
        false => import.lower_nodes(&inside, &mut values),
    };
    import.depth -= 1;
    lowered?;
    let output = |name: &str| {
        values.get(name).cloned().ok_or_else(|| Error::file(format!("nothing defines the output {name} of a branch")))
    };
    outputs.into_iter().map(output).collect()
}

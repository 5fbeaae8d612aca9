//! If: the condition must be known; the branch that it chooses is lowered in place of the node.

use std::collections::{HashMap, HashSet};

use super::operators::{self, Operator};
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};
use crate::model::proto::{GraphProto, NodeProto};
use crate::model::{onnx, order, tensor_proto};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("If", &["else_branch", "then_branch"], branch).host(&[0])];

/// Appends the outer values that the branches of If nodes read to the nodes' inputs, so that the inputs of every node
/// are all that it reads.
pub(crate) fn close_over(nodes: &mut [NodeProto]) {
    for node in nodes {
        let mut read: Vec<String> = branches(node).flat_map(captures).map(str::to_owned).collect();
        read.sort();
        read.dedup();
        read.retain(|name| !node.input.contains(name));
        node.input.extend(read);
    }
}

fn branches(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().filter_map(|a| a.g.as_deref())
}

/// The values that a graph reads and does not define.
fn captures(graph: &GraphProto) -> Vec<&str> {
    let made = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
    let held = graph.initializer.iter().map(|t| t.name());
    let defined: HashSet<&str> = made.chain(held).collect();
    let inputs = graph.node.iter().flat_map(|n| &n.input).map(String::as_str);
    let inner = graph.node.iter().flat_map(branches).flat_map(captures);
    let outputs = graph.output.iter().map(|v| v.name());
    inputs.chain(inner).chain(outputs).filter(|name| !name.is_empty() && !defined.contains(name)).collect()
}

/// <https://onnx.ai/onnx/operators/onnx__If.html>
fn branch(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let condition = node.host_ints(0)?.unwrap_or_default();
    let &[condition] = &condition[..] else {
        return Err(Error::shape(format!("the condition of If has {} values, not one", condition.len())));
    };
    let graph = node.graph(if condition != 0 { "then_branch" } else { "else_branch" })?;
    let mut values: HashMap<&str, Val> = node.named_inputs().map(|(name, value)| (name, value.clone())).collect();
    for tensor in &graph.initializer {
        let value =
            tensor_proto::read(tensor, None).map_err(|e| e.within(format_args!("initialiser {}", tensor.name())))?;
        values.insert(tensor.name(), value.into());
    }
    let mut inside = onnx::named(graph.node.clone());
    inside.iter_mut().for_each(|n| n.name = Some(format!("{}/{}", node.name(), n.name())));
    let mut inside = operators::check(inside)?;
    close_over(&mut inside);
    let inside = order::sort(inside, values.keys().copied())?;
    import.lower_nodes(&inside, &mut values)?;
    let output = |name: &str| {
        values.get(name).cloned().ok_or_else(|| Error::file(format!("nothing defines the output {name} of a branch")))
    };
    graph.output.iter().map(|v| output(v.name())).collect()
}

//! A GPU computes in f32: the f64 values of a graph become f32.

use std::sync::Arc;

use super::{Graph, Node};
use crate::error::{Error, Result};
use crate::ops::cast::Cast;
use crate::shape::DType;

/// Makes every f64 value of the graph f32, and gives the name of a node that computes one. Integers that pass through f64
/// unchanged keep all their bits.
///
/// # Errors
/// An operator of a program's own does not take f32 where it took f64.
pub fn to_single(graph: &mut Graph) -> Result<Option<String>> {
    if graph.values.iter().all(|v| v.desc.dtype != DType::F64) {
        return Ok(None);
    }
    skip_conversions(graph);
    let double = |n: &&Node| n.outputs.iter().any(|id| graph.desc(*id).dtype == DType::F64) && cast(n).is_none();
    let computed = graph.nodes.iter().find(double).map(|n| n.name.clone());
    for value in graph.values.iter_mut().filter(|v| v.desc.dtype == DType::F64) {
        value.desc.dtype = DType::F32;
        value.constant = value.constant.take().map(|t| t.to_dtype(DType::F32));
    }
    for node in &mut graph.nodes {
        if cast(node).is_some_and(|c| c.to == DType::F64) {
            node.op = Arc::new(Cast { to: DType::F32 });
        }
    }
    let descs = |ids: &[_]| graph.descs(ids);
    let fits = |n: &&Node| n.op.outputs(&descs(&n.inputs[..n.own_inputs()])).is_ok_and(|o| o == descs(&n.outputs));
    match graph.nodes.iter().find(|n| !fits(n)) {
        None => Ok(computed),
        Some(node) => {
            let call = node.op.call(&descs(&node.inputs));
            let text = format!("{call} in f32, in place of the f64 that a GPU lacks");
            Err(Error::unsupported(text).at(node.name.clone()))
        }
    }
}

fn cast(node: &Node) -> Option<&Cast> {
    node.op.downcast()
}

/// A cast of what was cast to f64 casts the original: f64 holds every f32 and every integer of 32 bits.
fn skip_conversions(graph: &mut Graph) {
    let widened: std::collections::HashMap<_, _> = graph
        .nodes
        .iter()
        .filter(|n| cast(n).is_some_and(|c| c.to == DType::F64))
        .map(|n| (n.outputs[0], n.inputs[0]))
        .collect();
    for node in graph.nodes.iter_mut().filter(|n| cast(n).is_some()) {
        if let Some(source) = widened.get(&node.inputs[0]) {
            node.inputs[0] = *source;
        }
    }
    graph.remove_dead();
}

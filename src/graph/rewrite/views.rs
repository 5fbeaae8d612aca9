//! Nodes that compute nothing: constants, identities, chains of reshapes and transposes.

use super::{Answer, Links, op_as, redirect};
use crate::graph::Graph;
use crate::ops;
use crate::ops::permute::Permute;
use crate::ops::reshape::Reshape;
use crate::ops::unary::{Activation, Unary};
use crate::tensor::Tensor;

/// Results larger than this are left to the device: folding them would only trade work for memory.
const LARGEST_FOLD: usize = 1 << 22;

/// Work beyond this is left to the device, which does it once.
const MOST_FLOPS: u64 = 1 << 26;

/// A node whose inputs are all constants.
pub(super) fn fold_constants(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let node = &graph.nodes[i];
    let inputs: Option<Vec<Tensor>> = node.inputs.iter().map(|&id| graph.constant_of(id).cloned()).collect();
    let Some(inputs) = inputs else { return Answer::No };
    if inputs.is_empty() || !node.epilogue.is_none() {
        return Answer::No;
    }
    let made: usize = node.outputs.iter().map(|&o| graph.desc(o).numel()).sum();
    if made > LARGEST_FOLD.min(links.room) {
        return Answer::Declined("the result is large");
    }
    if node.op.flops(&graph.descs(&node.inputs), &graph.descs(&node.outputs)) > MOST_FLOPS {
        return Answer::Declined("it is much work");
    }
    let Ok(results) = ops::evaluate(&*node.op, &inputs) else { return Answer::Declined("the reference refuses it") };
    for (id, tensor) in node.outputs.clone().into_iter().zip(results) {
        graph.values[id.0].constant = Some(tensor);
    }
    graph.nodes.remove(i);
    Answer::Fired
}

/// A reshape to the same shape, a transpose that keeps the order, the identity function.
pub(super) fn remove_identity(graph: &mut Graph, _: &Links, i: usize) -> Answer {
    let node = &graph.nodes[i];
    let same_shape = || graph.shape(node.inputs[0]) == graph.shape(node.outputs[0]);
    let identity = node.epilogue.is_none()
        && (op_as::<Reshape>(node).is_some() && same_shape()
            || op_as::<Permute>(node).is_some_and(|p| p.order.iter().enumerate().all(|(k, &o)| k == o))
            || op_as::<Unary>(node).is_some_and(|u| u.0 == Activation::Identity));
    if !identity {
        return Answer::No;
    }
    let (from, to) = (node.inputs[0], node.outputs[0]);
    redirect(graph, to, from);
    Answer::Fired
}

/// reshape(reshape(x)) is the last one alone.
pub(super) fn collapse_reshapes(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let is_reshape = |i: usize| op_as::<Reshape>(&graph.nodes[i]).is_some();
    let Some(before) = links.maker(graph.nodes[i].inputs[0]) else { return Answer::No };
    if !is_reshape(i) || !is_reshape(before) {
        return Answer::No;
    }
    graph.nodes[i].inputs[0] = graph.nodes[before].inputs[0];
    Answer::Fired
}

/// transpose(transpose(x)) is one transpose.
pub(super) fn collapse_permutes(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let Some(outer) = op_as::<Permute>(&graph.nodes[i]) else { return Answer::No };
    let Some(before) = links.maker(graph.nodes[i].inputs[0]) else { return Answer::No };
    let Some(inner) = op_as::<Permute>(&graph.nodes[before]) else { return Answer::No };
    let order = outer.order.iter().map(|&k| inner.order[k]).collect();
    let source = graph.nodes[before].inputs[0];
    graph.nodes[i].op = std::sync::Arc::new(Permute { order });
    graph.nodes[i].inputs[0] = source;
    Answer::Fired
}

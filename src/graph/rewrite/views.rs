//! Nodes that compute nothing: constants, identities, chains of reshapes and transposes.

use super::editor::{Editor, Place};
use super::rule::{Answer, op_as};
use crate::attr::Activation;
use crate::graph::Node;
use crate::ops;
use crate::ops::cast::Cast;
use crate::ops::permute::Permute;
use crate::ops::reshape::Reshape;
use crate::ops::unary::Unary;
use crate::tensor::Tensor;

/// Larger results are left to the device: folding them would trade work for memory.
const LARGEST_FOLD: usize = 1 << 22;

/// More work than this is left to the device, which does it once.
const MOST_FLOPS: u64 = 1 << 26;

/// A node whose inputs are all constants.
pub(super) fn fold_constants(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    let inputs: Option<Vec<Tensor>> = node.inputs.iter().map(|&id| graph.constant_of(id).cloned()).collect();
    let Some(inputs) = inputs else { return Answer::No };
    if inputs.is_empty() || !node.epilogue.is_none() {
        return Answer::No;
    }
    let made: usize = node.outputs.iter().map(|&o| graph.desc(o).numel()).sum();
    if made > LARGEST_FOLD.min(e.room()) {
        return Answer::Declined("the result is large");
    }
    if node.op.flops(&graph.descs(&node.inputs), &graph.descs(&node.outputs)) > MOST_FLOPS {
        return Answer::Declined("it is too much work");
    }
    let Ok(results) = ops::evaluate(&*node.op, &inputs) else { return Answer::Declined("the reference refuses it") };
    let results = node.outputs.iter().zip(results);
    Answer::Change(results.fold(e.edit(), |edit, (&id, tensor)| edit.know(id, tensor)))
}

/// A reshape to the same shape, a transpose that keeps the order, the identity function.
pub(super) fn remove_identity(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    let same_shape = || graph.shape(node.inputs[0]) == graph.shape(node.outputs[0]);
    let identity = node.epilogue.is_none()
        && (op_as::<Reshape>(node).is_some() && same_shape()
            || op_as::<Permute>(node).is_some_and(|p| p.order.iter().enumerate().all(|(k, &o)| k == o))
            || op_as::<Cast>(node).is_some_and(|c| c.to == graph.desc(node.inputs[0]).dtype)
            || op_as::<Unary>(node).is_some_and(|u| u.0 == Activation::Identity));
    if !identity {
        return Answer::No;
    }
    Answer::Change(e.edit().redirect(node.outputs[0], node.inputs[0]))
}

/// reshape(reshape(x)) is the last one alone.
pub(super) fn collapse_reshapes(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    let Some(before) = e.maker(node.inputs[0]).map(|p| e.node(p)) else { return Answer::No };
    if op_as::<Reshape>(node).is_none() || op_as::<Reshape>(before).is_none() {
        return Answer::No;
    }
    let node = Node { inputs: before.inputs.clone(), ..node.clone() };
    Answer::Change(e.edit().put(at, node))
}

/// transpose(transpose(x)) is one transpose.
pub(super) fn collapse_permutes(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    let Some(outer) = op_as::<Permute>(node) else { return Answer::No };
    let Some(before) = e.maker(node.inputs[0]).map(|p| e.node(p)) else { return Answer::No };
    let Some(inner) = op_as::<Permute>(before) else { return Answer::No };
    let order = outer.order.iter().map(|&k| inner.order[k]).collect();
    let op = std::sync::Arc::new(Permute { order });
    let node = Node { op, inputs: before.inputs.clone(), ..node.clone() };
    Answer::Change(e.edit().put(at, node))
}

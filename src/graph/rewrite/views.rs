//! Nodes that compute nothing: constants, identities, chains of reshapes and transposes.

use super::editor::{Editor, Place};
use super::rule::Answer;
use super::rule::Refusal::{Declined, NoMatch};
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
    let Some(inputs) = inputs else { return Err(NoMatch) };
    if inputs.is_empty() || !node.epilogue.is_none() {
        return Err(NoMatch);
    }
    let made: usize = node.outputs.iter().map(|&o| graph.desc(o).numel()).sum();
    if made > LARGEST_FOLD.min(e.room()) {
        return Err(Declined("the result is large"));
    }
    if node.op.flops(&graph.descs(&node.inputs), &graph.descs(&node.outputs)) > MOST_FLOPS {
        return Err(Declined("it is too much work"));
    }
    let Ok(results) = ops::evaluate(&*node.op, &inputs) else { return Err(Declined("the reference refuses it")) };
    let results = node.outputs.iter().zip(results);
    Ok(results.fold(e.edit(), |edit, (&id, tensor)| edit.know(id, tensor)))
}

/// A reshape to the same shape, a transpose that keeps the order, the identity function.
pub(super) fn remove_identity(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    let same_shape = || graph.shape(node.inputs[0]) == graph.shape(node.outputs[0]);
    let identity = node.epilogue.is_none()
        && (node.op.downcast::<Reshape>().is_some() && same_shape()
            || node.op.downcast::<Permute>().is_some_and(|p| p.order.iter().enumerate().all(|(k, &o)| k == o))
            || node.op.downcast::<Cast>().is_some_and(|c| c.to == graph.desc(node.inputs[0]).dtype)
            || node.op.downcast::<Unary>().is_some_and(|u| u.0 == Activation::Identity));
    if !identity {
        return Err(NoMatch);
    }
    Ok(e.edit().redirect(node.outputs[0], node.inputs[0]))
}

/// reshape(reshape(x)) is the last one alone.
pub(super) fn collapse_reshapes(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    if node.op.downcast::<Reshape>().is_none() {
        return Err(NoMatch);
    }
    let before = e.maker(node.inputs[0]).map(|p| e.node(p)).filter(|before| before.op.downcast::<Reshape>().is_some());
    let Some(before) = before else { return Err(NoMatch) };
    let node = Node { inputs: before.inputs.clone(), ..node.clone() };
    Ok(e.edit().put(at, node))
}

/// transpose(transpose(x)) is one transpose.
pub(super) fn collapse_permutes(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    let Some(outer) = node.op.downcast::<Permute>() else { return Err(NoMatch) };
    let Some(before) = e.maker(node.inputs[0]).map(|p| e.node(p)) else { return Err(NoMatch) };
    let Some(inner) = before.op.downcast::<Permute>() else { return Err(NoMatch) };
    let order = outer.order.iter().map(|&k| inner.order[k]).collect();
    let op = std::sync::Arc::new(Permute { order });
    let node = Node { op, inputs: before.inputs.clone(), ..node.clone() };
    Ok(e.edit().put(at, node))
}

//! Moves nodes around a convolution into it: padding before it; bias, residual and activation after it.

use std::sync::Arc;

use super::editor::{Editor, Place};
use super::rule::Refusal::{Declined, NoMatch};
use super::rule::{Answer, Refusal, bias_of, constant};
use crate::attr::{Activation, BinaryKind, PadMode};
use crate::graph::{Node, ValueId};
use crate::ops::binary::Binary;
use crate::ops::conv2d::Conv2d;
use crate::ops::pad::Pad;
use crate::ops::prelu::Prelu;
use crate::ops::reshape::Reshape;
use crate::ops::unary::Unary;
use crate::reference::activation::steps;
use crate::tensor::Tensor;

/// A pad of zeros around height and width that only a convolution reads becomes its padding.
pub(super) fn pad_into_convolution(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    let Some(conv) = node.op.downcast::<Conv2d>() else { return Err(NoMatch) };
    let Some(before) = e.maker(node.inputs[0]).map(|p| e.node(p)) else { return Err(NoMatch) };
    let Some(pad) = before.op.downcast::<Pad>() else { return Err(NoMatch) };
    let [[0, 0], [0, 0], rows, columns] = pad.pads[..] else {
        return Err(Declined("it pads other axes than height and width"));
    };
    if !matches!(pad.mode, PadMode::Constant(0.0)) || [rows, columns].as_flattened().iter().any(|&p| p < 0) {
        return Err(Declined("it does not add zeros"));
    }
    let mut op = conv.clone();
    for (side, p) in op.padding.as_flattened_mut().iter_mut().zip([rows, columns].as_flattened()) {
        *side += *p as usize;
    }
    let mut node = Node { op: Arc::new(op), ..node.clone() };
    node.inputs[0] = before.inputs[0];
    Ok(e.edit().put(at, node))
}

/// The place of the node that makes `id`, if it takes an epilogue and nothing else reads `id`.
fn target(e: &Editor, id: ValueId) -> Result<Place, Refusal> {
    let Some(before) = e.maker(id) else { return Err(NoMatch) };
    let node = e.node(before);
    if !node.op.takes_epilogue() || node.outputs[0] != id {
        return Err(NoMatch);
    }
    if e.uses(id) > 1 {
        return Err(Declined("the result before it has other readers"));
    }
    Ok(before)
}

/// conv + a constant of one number per channel: the bias. A linear layer's sum follows its reshape to `[.., out]`.
pub(super) fn bias(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    if !matches!(node.op.downcast::<Binary>(), Some(Binary(BinaryKind::Add))) {
        return Err(NoMatch);
    }
    let [a, b] = node.inputs[..] else { return Err(NoMatch) };
    let (x, addend) = if constant(graph, b).is_some() { (a, b) } else { (b, a) };
    let Some(addend) = constant(graph, addend).cloned() else { return Err(NoMatch) };
    let Some(direct) = e.maker(x) else { return Err(NoMatch) };
    let view = e.node(direct).op.downcast::<Reshape>().is_some() && e.uses(x) == 1;
    let product = if view { e.node(direct).inputs[0] } else { x };
    let before = target(e, product)?;
    let conv = e.node(before);
    let channels = graph.shape(product)[1];
    let trailing: usize = graph.shape(product)[2..].iter().product();
    // The only axis of the addend that is not 1, counted from the end, must be the channel axis.
    let shape = graph.shape(x);
    let axis = if view { shape.len() - 1 } else { 1 };
    let from_end = shape.len() - axis;
    let fits = addend.numel() == channels
        && (channels == 1
            || addend.shape().len() >= from_end && addend.shape()[addend.shape().len() - from_end] == channels)
        && graph.shape(node.outputs[0]) == shape
        && (!view || trailing == 1 && shape[axis] == channels);
    if !fits || conv.op.downcast::<Conv2d>().is_none() {
        return Err(NoMatch);
    }
    if !conv.epilogue.is_none() {
        return Err(Declined("the convolution already has an epilogue"));
    }
    let own = bias_of(graph, conv, channels)?;
    let sum = own.iter().zip(addend.to_f64s()).map(|(a, b)| (a + b) as f32).collect::<Vec<_>>();
    let (mut edit, mut conv) = (e.edit(), conv.clone());
    conv.inputs.truncate(2);
    conv.inputs.push(edit.constant(format!("{}.bias", conv.name), Tensor::of([channels], sum)));
    Ok(edit.put(before, conv).redirect(node.outputs[0], x))
}

/// f(reshape(conv)) is reshape(f(conv)), where the epilogue can take f.
pub(super) fn activation_before_view(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    if node.op.downcast::<Unary>().is_none() {
        return Err(NoMatch);
    }
    let x = node.inputs[0];
    let Some(before) = e.maker(x) else { return Err(NoMatch) };
    let view = e.node(before);
    if view.op.downcast::<Reshape>().is_none() || e.uses(x) > 1 {
        return Err(NoMatch);
    }
    let source = view.inputs[0];
    match target(e, source) {
        Ok(conv) if e.node(conv).epilogue.activation == Activation::Identity => {}
        _ => return Err(NoMatch),
    }
    // The two nodes swap: the function has the convolution's shape, and the reshape follows it.
    let mut edit = e.edit();
    let result = edit.insert(e, before, node.name.clone(), node.op.clone(), vec![source])?;
    Ok(edit.put(at, Node { inputs: vec![result], outputs: node.outputs.clone(), ..view.clone() }))
}

/// conv + another tensor of its shape. The convolution moves to the sum's place, where both are known.
pub(super) fn residual(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    if !matches!(node.op.downcast::<Binary>(), Some(Binary(BinaryKind::Add))) {
        return Err(NoMatch);
    }
    let [a, b] = node.inputs[..] else { return Err(NoMatch) };
    if a == b || graph.desc(a) != graph.desc(b) {
        return Err(NoMatch);
    }
    let free = |id: ValueId| match target(e, id) {
        Ok(k) if e.node(k).epilogue.is_none() => Ok(k),
        Ok(_) => Err(Declined("the convolution before it already has an epilogue")),
        Err(answer) => Err(answer),
    };
    // Of two convolutions the later one takes the sum, since the other is computed before it.
    let (before, other) = match (free(a), free(b)) {
        (Ok(p), Ok(q)) => {
            if p > q {
                (p, b)
            } else {
                (q, a)
            }
        }
        (Ok(p), Err(_)) => (p, b),
        (Err(_), Ok(q)) => (q, a),
        (Err(Declined(why)), _) | (_, Err(Declined(why))) => return Err(Declined(why)),
        _ => return Err(NoMatch),
    };
    let output = node.outputs[0];
    let mut conv = e.node(before).clone();
    conv.epilogue.residual = Some(conv.inputs.len());
    conv.inputs.push(other);
    conv.outputs[0] = output;
    Ok(e.edit().put(at, conv))
}

/// One function that does what `first` and then `next` do, if there is one.
fn composed(first: Activation, next: Activation) -> Option<Activation> {
    use Activation::*;
    match (first, next) {
        // Rounding keeps the order: the limits are rounded instead.
        (Relu, FakeQuantize { scale, low, high }) => Some(FakeQuantize { scale, low: low.max(0.0), high }),
        (Clamp { min, max }, FakeQuantize { scale, low, high }) if min <= max => {
            let limit = |v: f32| steps(v.into(), scale, low, high) as f32;
            Some(FakeQuantize { scale, low: limit(min), high: limit(max) })
        }
        (FakeQuantize { .. }, again) if first == again => Some(first),
        _ => None,
    }
}

/// f(conv).
pub(super) fn activation(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    let Some(&Unary(f)) = node.op.downcast::<Unary>() else { return Err(NoMatch) };
    let before = target(e, node.inputs[0])?;
    let mut conv = e.node(before).clone();
    if conv.epilogue.activation != Activation::Identity || conv.epilogue.slope.is_some() {
        return Err(Declined("the node before it already has an activation"));
    }
    conv.epilogue.activation = f;
    Ok(e.edit().put(before, conv).redirect(node.outputs[0], node.inputs[0]))
}

/// f(g(x)) where one function does the work of both.
pub(super) fn activations(e: &Editor, at: Place) -> Answer {
    let node = e.node(at);
    let Some(&Unary(f)) = node.op.downcast::<Unary>() else { return Err(NoMatch) };
    let Some(before) = e.maker(node.inputs[0]).map(|p| e.node(p)) else { return Err(NoMatch) };
    let Some(&Unary(g)) = before.op.downcast::<Unary>() else { return Err(NoMatch) };
    let Some(both) = composed(g, f) else { return Err(NoMatch) };
    Ok(e.edit().put(at, Node { op: Arc::new(Unary(both)), inputs: before.inputs.clone(), ..node.clone() }))
}

/// prelu(conv) with one constant slope, or one per channel.
pub(super) fn prelu(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    if node.op.downcast::<Prelu>().is_none() {
        return Err(NoMatch);
    }
    let before = target(e, node.inputs[0])?;
    let Some(slope) = constant(graph, node.inputs[1]).cloned() else {
        return Err(Declined("the slope is not constant"));
    };
    let shape = graph.shape(node.inputs[0]);
    let per_channel = slope.numel() == shape[1]
        && (slope.shape().len() == 1 || slope.shape().iter().rev().nth(shape.len() - 2) == Some(&shape[1]));
    if slope.numel() != 1 && !per_channel {
        return Err(Declined("the slope is neither one number nor one per channel"));
    }
    let mut conv = e.node(before).clone();
    if conv.epilogue.activation != Activation::Identity || conv.epilogue.slope.is_some() {
        return Err(Declined("the node before it already has an activation"));
    }
    conv.epilogue.slope = Some(conv.inputs.len());
    let (mut edit, name, count) = (e.edit(), format!("{}.slope", node.name), slope.numel());
    conv.inputs.push(edit.constant(name, slope.reshape([count]).expect("the same elements")));
    Ok(edit.put(before, conv).redirect(node.outputs[0], node.inputs[0]))
}

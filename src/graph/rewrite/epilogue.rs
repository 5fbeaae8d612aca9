//! What a convolution can take over from the nodes around it: padding before it; bias, residual, activation after it.

use super::{Answer, Links, constant, op_as, redirect};
use crate::graph::{Graph, ValueId};
use crate::ops::binary::{Binary, BinaryKind};
use crate::ops::conv2d::Conv2d;
use crate::ops::pad::{Pad, PadMode};
use crate::ops::prelu::Prelu;
use crate::ops::reshape::Reshape;
use crate::ops::unary::{Activation, Unary};
use crate::tensor::Tensor;

/// Zeros around height and width, read by a convolution alone, become its padding.
pub(super) fn pad_into_convolution(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let Some(conv) = op_as::<Conv2d>(&graph.nodes[i]) else { return Answer::No };
    let Some(before) = links.maker(graph.nodes[i].inputs[0]) else { return Answer::No };
    let Some(pad) = op_as::<Pad>(&graph.nodes[before]) else { return Answer::No };
    let [[0, 0], [0, 0], [top, bottom], [left, right]] = pad.pads[..] else {
        return Answer::Declined("it pads other axes than height and width");
    };
    if !matches!(pad.mode, PadMode::Constant(0.0)) || [top, bottom, left, right].iter().any(|&p| p < 0) {
        return Answer::Declined("it does not add zeros");
    }
    let mut op = conv.clone();
    for (side, p) in op.padding.iter_mut().zip([top, bottom, left, right]) {
        *side += p as usize;
    }
    let source = graph.nodes[before].inputs[0];
    graph.nodes[i].op = std::sync::Arc::new(op);
    graph.nodes[i].inputs[0] = source;
    Answer::Fired
}

/// The node that makes `id`, if it takes an epilogue and nobody else reads `id`.
fn target(graph: &Graph, links: &Links, id: ValueId) -> Result<usize, Answer> {
    let Some(before) = links.maker(id) else { return Err(Answer::No) };
    let node = &graph.nodes[before];
    if !node.op.takes_epilogue() || node.outputs[0] != id {
        return Err(Answer::No);
    }
    if links.uses(id) > 1 {
        return Err(Answer::Declined("the result before it has other readers"));
    }
    Ok(before)
}

/// conv + a constant of one number a channel: the bias. A linear layer's sum follows its reshape to `[.., out]`.
pub(super) fn bias(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let node = &graph.nodes[i];
    if !matches!(op_as::<Binary>(node), Some(Binary(BinaryKind::Add))) {
        return Answer::No;
    }
    let [a, b] = node.inputs[..] else { return Answer::No };
    let (x, addend) = if constant(graph, b).is_some() { (a, b) } else { (b, a) };
    let Some(addend) = constant(graph, addend).cloned() else { return Answer::No };
    let Some(direct) = links.maker(x) else { return Answer::No };
    let view = op_as::<Reshape>(&graph.nodes[direct]).is_some() && links.uses(x) == 1;
    let product = if view { graph.nodes[direct].inputs[0] } else { x };
    let before = match target(graph, links, product) {
        Ok(before) => before,
        Err(answer) => return answer,
    };
    let conv = &graph.nodes[before];
    let channels = graph.shape(product)[1];
    let trailing: usize = graph.shape(product)[2..].iter().product();
    // Seen from the end, the addend's one axis that is not 1 must be the channel axis of what it is added to.
    let shape = graph.shape(x);
    let axis = if view { shape.len() - 1 } else { 1 };
    let from_end = shape.len() - axis;
    let fits = addend.numel() == channels
        && (channels == 1
            || addend.shape().len() >= from_end && addend.shape()[addend.shape().len() - from_end] == channels)
        && graph.shape(node.outputs[0]) == shape
        && (!view || trailing == 1 && shape[axis] == channels);
    if !fits || op_as::<Conv2d>(conv).is_none() {
        return Answer::No;
    }
    if !conv.epilogue.is_none() {
        return Answer::Declined("the convolution already has an epilogue");
    }
    let own = match conv.inputs.get(2) {
        None => vec![0.0; channels],
        Some(&id) => match constant(graph, id) {
            Some(t) => t.to_f64s(),
            None => return Answer::Declined("the bias is not constant"),
        },
    };
    let sum = own.iter().zip(addend.to_f64s()).map(|(a, b)| (a + b) as f32).collect::<Vec<_>>();
    let output = node.outputs[0];
    let name = format!("{}.bias", conv.name);
    let bias = graph.constant(name, Tensor::of([channels], sum)).expect("small");
    graph.nodes[before].inputs.truncate(2);
    graph.nodes[before].inputs.push(bias);
    redirect(graph, output, x);
    Answer::Fired
}

/// f(reshape(conv)) is reshape(f(conv)), where the epilogue can take f.
pub(super) fn activation_before_view(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    if op_as::<Unary>(&graph.nodes[i]).is_none() {
        return Answer::No;
    }
    let x = graph.nodes[i].inputs[0];
    let Some(view) = links.maker(x) else { return Answer::No };
    if op_as::<Reshape>(&graph.nodes[view]).is_none() || links.uses(x) > 1 {
        return Answer::No;
    }
    let source = graph.nodes[view].inputs[0];
    match target(graph, links, source) {
        Ok(before) if graph.nodes[before].epilogue.activation == Activation::Identity => {}
        _ => return Answer::No,
    }
    // The two nodes swap places: the function works on the convolution's shape, the reshape follows it.
    let desc = graph.desc(source).clone();
    graph.values[x.0].desc = desc;
    graph.nodes[i].inputs[0] = source;
    let y = graph.nodes[i].outputs[0];
    graph.nodes[i].outputs[0] = x;
    graph.nodes[view].inputs[0] = x;
    graph.nodes[view].outputs[0] = y;
    graph.nodes.swap(i, view);
    Answer::Fired
}

/// conv + another tensor of its shape. The convolution moves to the sum's place, where both are known.
pub(super) fn residual(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let node = &graph.nodes[i];
    if !matches!(op_as::<Binary>(node), Some(Binary(BinaryKind::Add))) {
        return Answer::No;
    }
    let [a, b] = node.inputs[..] else { return Answer::No };
    if a == b || graph.desc(a) != graph.desc(b) {
        return Answer::No;
    }
    let free = |id: ValueId| match target(graph, links, id) {
        Ok(k) if graph.nodes[k].epilogue.is_none() => Ok(k),
        Ok(_) => Err(Answer::Declined("the convolution before it already has an epilogue")),
        Err(answer) => Err(answer),
    };
    // Of two convolutions the later one takes the sum: the other is then long done.
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
        (Err(Answer::Declined(why)), _) | (_, Err(Answer::Declined(why))) => return Answer::Declined(why),
        _ => return Answer::No,
    };
    let output = node.outputs[0];
    let mut conv = graph.nodes[before].clone();
    conv.epilogue.residual = Some(conv.inputs.len());
    conv.inputs.push(other);
    conv.outputs[0] = output;
    graph.nodes[i] = conv;
    graph.nodes.remove(before);
    Answer::Fired
}

/// f(conv).
pub(super) fn activation(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let Some(&Unary(f)) = op_as::<Unary>(&graph.nodes[i]) else { return Answer::No };
    let before = match target(graph, links, graph.nodes[i].inputs[0]) {
        Ok(before) => before,
        Err(answer) => return answer,
    };
    let output = graph.nodes[i].outputs[0];
    let node = &mut graph.nodes[before];
    if node.epilogue.activation != Activation::Identity || node.epilogue.slope.is_some() {
        return Answer::Declined("the node before it already has an activation");
    }
    node.epilogue.activation = f;
    node.outputs[0] = output;
    graph.nodes.remove(i);
    Answer::Fired
}

/// prelu(conv) with one constant slope, or one a channel.
pub(super) fn prelu(graph: &mut Graph, links: &Links, i: usize) -> Answer {
    let node = &graph.nodes[i];
    if op_as::<Prelu>(node).is_none() {
        return Answer::No;
    }
    let before = match target(graph, links, node.inputs[0]) {
        Ok(before) => before,
        Err(answer) => return answer,
    };
    let Some(slope) = constant(graph, node.inputs[1]).cloned() else {
        return Answer::Declined("the slope is not constant");
    };
    let shape = graph.shape(node.inputs[0]);
    let per_channel = slope.numel() == shape[1]
        && (slope.shape().len() == 1 || slope.shape().iter().rev().nth(shape.len() - 2) == Some(&shape[1]));
    if slope.numel() != 1 && !per_channel {
        return Answer::Declined("the slope is neither one number nor one a channel");
    }
    if graph.nodes[before].epilogue.activation != Activation::Identity || graph.nodes[before].epilogue.slope.is_some() {
        return Answer::Declined("the node before it already has an activation");
    }
    let output = node.outputs[0];
    let count = slope.numel();
    let name = format!("{}.slope", node.name);
    let id = graph.constant(name, slope.reshape([count]).expect("the same elements")).expect("small");
    let target = &mut graph.nodes[before];
    target.epilogue.slope = Some(target.inputs.len());
    target.inputs.push(id);
    target.outputs[0] = output;
    graph.nodes.remove(i);
    Answer::Fired
}

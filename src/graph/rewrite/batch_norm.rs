//! A batch norm with constant parameters is a scale and a shift per channel, which a convolution before or after it can absorb.

use super::editor::{Edit, Editor, Place};
use super::rule::Refusal::{Declined, NoMatch};
use super::rule::{Answer, bias_of, constant};
use crate::graph::{Graph, Node, ValueId};
use crate::ops::batch_norm::BatchNorm;
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::tensor::Tensor;

/// y = scale x + shift, one pair per channel.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// The affine form of a batch norm whose four parameters are constants.
fn affine(graph: &Graph, node: &Node) -> Option<Affine> {
    let eps = f64::from(node.op.downcast::<BatchNorm>()?.eps);
    let [_, weight, bias, mean, var] = node.inputs[..] else { return None };
    let of = |id: ValueId| constant(graph, id).map(Tensor::to_f64s);
    let (weight, bias, mean, var) = (of(weight)?, of(bias)?, of(mean)?, of(var)?);
    let scale: Vec<f64> = weight.iter().zip(&var).map(|(w, v)| w / (v + eps).sqrt()).collect();
    let shift = bias.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    Some(Affine { scale, shift })
}

/// The output (or input) channel of every weight of a convolution: the index of its scale.
fn channels(node: &Node, shape: &[usize], of_output: bool) -> Option<Vec<usize>> {
    let taps = shape[2..].iter().product::<usize>();
    let index = |i: usize| (i / taps / shape[1], i / taps % shape[1]);
    let (groups, transposed) = match (node.op.downcast::<Conv2d>(), node.op.downcast::<ConvTranspose2d>()) {
        (Some(c), _) => (c.groups, false),
        (_, Some(c)) => (c.groups, true),
        _ => return None,
    };
    // A weight is [oc, ic / groups, ..], of a transposed convolution [ic, oc / groups, ..]: the second index is within a group.
    let per_group = shape[0] / groups;
    let first_is_output = !transposed;
    let channel = |i: usize| {
        let (a, b) = index(i);
        if first_is_output == of_output { a } else { a / per_group * shape[1] + b }
    };
    Some((0..shape.iter().product()).map(channel).collect())
}

/// conv, then scale and shift: w' = scale w, b' = scale b + shift.
pub(super) fn into_convolution_before(e: &Editor, at: Place) -> Answer {
    let (graph, norm) = (e.graph(), e.node(at));
    let Some(affine) = affine(graph, norm) else { return Err(NoMatch) };
    let Some(before) = e.maker(norm.inputs[0]) else { return Err(NoMatch) };
    let conv = e.node(before);
    if conv.op.downcast::<Conv2d>().is_none() && conv.op.downcast::<ConvTranspose2d>().is_none() {
        return Err(NoMatch);
    }
    if e.uses(norm.inputs[0]) > 1 {
        return Err(Declined("the convolution's result has other readers"));
    }
    if !conv.epilogue.is_none() {
        return Err(Declined("the convolution already has an epilogue"));
    }
    let Some(weight) = constant(graph, conv.inputs[1]) else { return Err(Declined("the weight is not constant")) };
    let bias = bias_of(graph, conv, affine.scale.len())?;
    let channel = channels(conv, weight.shape(), true).expect("it is a convolution");
    let scaled = weight.f32s().iter().zip(&channel).map(|(w, &c)| (f64::from(*w) * affine.scale[c]) as f32);
    let weight = Tensor::of(weight.shape(), scaled.collect::<Vec<_>>());
    let shifted = bias.iter().zip(&affine.scale).zip(&affine.shift).map(|((b, s), t)| (b * s + t) as f32);
    let bias = Tensor::of([bias.len()], shifted.collect::<Vec<_>>());
    let (x, result, output) = (conv.inputs[0], conv.outputs[0], norm.outputs[0]);
    Ok(replace_weights(e, before, x, weight, bias).redirect(output, result))
}

/// scale and shift, then conv without padding: w' = w scale[ic], b' = b + sum w shift[ic]. A convolution pads with
/// zeros after the shift, so padding forbids it.
pub(super) fn into_convolution_after(e: &Editor, at: Place) -> Answer {
    let (graph, conv) = (e.graph(), e.node(at));
    let Some(op) = conv.op.downcast::<Conv2d>() else { return Err(NoMatch) };
    let Some(before) = e.maker(conv.inputs[0]).map(|p| e.node(p)) else { return Err(NoMatch) };
    let Some(affine) = affine(graph, before) else { return Err(NoMatch) };
    if op.padding != [[0; 2]; 2] {
        return Err(Declined("the convolution pads"));
    }
    let Some(weight) = constant(graph, conv.inputs[1]) else { return Err(Declined("the weight is not constant")) };
    let mut bias = bias_of(graph, conv, weight.shape()[0])?;
    if !conv.epilogue.is_none() {
        return Err(Declined("the convolution already has an epilogue"));
    }
    let channel = channels(conv, weight.shape(), false).expect("it is a convolution");
    let output = channels(conv, weight.shape(), true).expect("it is a convolution");
    let mut scaled = vec![];
    for ((w, &ic), &oc) in weight.f32s().iter().zip(&channel).zip(&output) {
        scaled.push((f64::from(*w) * affine.scale[ic]) as f32);
        bias[oc] += f64::from(*w) * affine.shift[ic];
    }
    let weight = Tensor::of(weight.shape(), scaled);
    let bias = Tensor::of([bias.len()], bias.into_iter().map(|b| b as f32).collect::<Vec<_>>());
    Ok(replace_weights(e, at, before.inputs[0], weight, bias))
}

/// Replaces the convolution by one of `x` with these weights.
fn replace_weights(e: &Editor, conv: Place, x: ValueId, weight: Tensor, bias: Tensor) -> Edit {
    let (mut edit, node) = (e.edit(), e.node(conv).clone());
    let weight = edit.constant(format!("{}.weight", node.name), weight);
    let bias = edit.constant(format!("{}.bias", node.name), bias);
    edit.put(conv, Node { inputs: vec![x, weight, bias], ..node })
}

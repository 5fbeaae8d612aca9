//! Splits a convolution (or linear layer) whose weights exceed the device's largest binding: into several over parts of
//! the output channels, and a concatenation of their results.

use std::sync::Arc;

use super::rule::{Firing, constant};
use crate::error::Result;
use crate::graph::{Graph, Node, ValueId};
use crate::ops::concat::Concat;
use crate::ops::conv2d::Conv2d;
use crate::tensor::Tensor;

const RULE: &str = "weight split over output channels";

/// Splits every convolution whose constant weight takes more than `limit` bytes, packed into blocks of four channels.
pub fn split_large_weights(graph: &mut Graph, limit: u64) -> Result<Vec<Firing>> {
    let mut fired = vec![];
    let mut i = 0;
    while i < graph.nodes.len() {
        let parts = parts(graph, &graph.nodes[i], limit);
        if parts.len() > 1 {
            fired.push(Firing { rule: RULE, node: graph.nodes[i].name.clone(), declined: None });
            i += split(graph, i, &parts)?;
        } else {
            i += 1;
        }
    }
    graph.remove_dead();
    Ok(fired)
}

/// The output channels of each part, multiples of four except for the last; a single part if no split is needed.
fn parts(graph: &Graph, node: &Node, limit: u64) -> Vec<std::ops::Range<usize>> {
    let whole = |oc: usize| std::iter::once(0..oc).collect();
    let Some(op) = node.op.downcast::<Conv2d>() else { return whole(0) };
    let &[oc, icg, kh, kw] = graph.shape(node.inputs[1]) else { return whole(0) };
    let block = (icg.next_multiple_of(4) * kh * kw * 4 * 4) as u64; // bytes of four output channels
    let fits = op.groups > 1 || constant(graph, node.inputs[1]).is_none() || node.epilogue.residual.is_some();
    let channels = (limit / block.max(1)) as usize * 4;
    if fits || block * oc.div_ceil(4) as u64 <= limit || channels == 0 {
        return whole(oc);
    }
    (0..oc).step_by(channels).map(|first| first..(first + channels).min(oc)).collect()
}

/// Replaces node `i`; gives the number of nodes in its place.
fn split(graph: &mut Graph, i: usize, parts: &[std::ops::Range<usize>]) -> Result<usize> {
    let node = graph.nodes.remove(i);
    let mut added = vec![];
    for (k, part) in parts.iter().enumerate() {
        let name = format!("{}.{k}", node.name);
        let mut inputs = vec![node.inputs[0]];
        for (position, &id) in node.inputs.iter().enumerate().skip(1) {
            let shared = node.epilogue.slope == Some(position) && graph.desc(id).numel() == 1;
            inputs.push(if shared { id } else { rows(graph, id, part)? });
        }
        let (op, own) = (node.op.clone(), node.own_inputs());
        let output = graph.add_arc(name, op, &inputs[..own])?[0];
        let mut conv = graph.nodes.pop().expect("just added");
        conv.inputs = inputs;
        conv.epilogue = node.epilogue.clone();
        added.push((conv, output));
    }
    let outputs: Vec<ValueId> = added.iter().map(|(_, id)| *id).collect();
    let joined = Node {
        name: format!("{}.concat", node.name),
        op: Arc::new(Concat { axis: 1 }),
        inputs: outputs,
        outputs: node.outputs,
        epilogue: Default::default(),
    };
    let all: Vec<Node> = added.into_iter().map(|(n, _)| n).chain([joined]).collect();
    let count = all.len();
    graph.nodes.splice(i..i, all);
    Ok(count)
}

/// Some rows of a constant.
fn rows(graph: &mut Graph, id: ValueId, part: &std::ops::Range<usize>) -> Result<ValueId> {
    let name = graph.values[id.0].name.clone();
    let t = constant(graph, id).expect("weights, biases and slopes of a split node are constants");
    let row: usize = t.shape()[1..].iter().product();
    let shape = [&[part.len()], &t.shape()[1..]].concat();
    let values = t.f32s()[part.start * row..part.end * row].to_vec();
    let tensor = Tensor::of(shape, values);
    graph.constant(format!("{name}[{}..{}]", part.start, part.end), tensor)
}

//! Recognises operators that exporters write as several nodes.

use std::sync::Arc;

use super::editor::{Editor, Place};
use super::rule::Refusal::NoMatch;
use super::rule::{Answer, number};
use crate::attr::SILU;
use crate::attr::{Activation, BinaryKind, PoolKind, ReduceKind};
use crate::graph::{Graph, Node, ValueId};
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::binary::Binary;
use crate::ops::permute::Permute;
use crate::ops::pixel_shuffle::{Order, PixelShuffle};
use crate::ops::reduce::Reduce;
use crate::ops::reshape::Reshape;
use crate::ops::unary::Unary;

fn binary(node: &Node) -> Option<BinaryKind> {
    node.op.downcast::<Binary>().map(|b| b.0)
}

/// The node that makes a value.
fn behind(e: &Editor, id: ValueId) -> Option<&Node> {
    e.maker(id).map(|at| e.node(at))
}

/// The two operands of a commutative node of this kind, in either order.
fn either(node: &Node, kind: BinaryKind) -> Vec<(ValueId, ValueId)> {
    match node.inputs[..] {
        [a, b] if binary(node) == Some(kind) => vec![(a, b), (b, a)],
        _ => vec![],
    }
}

/// The operands of a node of this kind whose one operand is a single number.
fn with_number(graph: &Graph, node: &Node, kind: BinaryKind) -> Option<(ValueId, f32)> {
    let [a, b] = node.inputs[..] else { return None };
    if binary(node) != Some(kind) {
        return None;
    }
    match (number(graph, a), number(graph, b)) {
        (_, Some(n)) => Some((a, n)),
        (Some(n), _) if matches!(kind, BinaryKind::Add | BinaryKind::Mul) => Some((b, n)),
        _ => None,
    }
}

/// The dividend and the divisor where a value is divided by a number, or multiplied by its inverse.
fn divided(e: &Editor, id: ValueId) -> Option<(ValueId, f32)> {
    let node = behind(e, id)?;
    let by = with_number(e.graph(), node, BinaryKind::Div);
    by.or_else(|| with_number(e.graph(), node, BinaryKind::Mul).map(|(x, f)| (x, 1.0 / f)))
}

/// Replaces the node by f(x).
fn become_unary(e: &Editor, at: Place, f: Activation, x: ValueId) -> Answer {
    Ok(e.edit().put(at, Node { op: Arc::new(Unary(f)), inputs: vec![x], ..e.node(at).clone() }))
}

/// x sigmoid(x)
pub(super) fn swish(e: &Editor, at: Place) -> Answer {
    let found = either(e.node(at), BinaryKind::Mul).into_iter().find(|&(x, s)| {
        behind(e, s).is_some_and(|n| {
            matches!(n.op.downcast(), Some(Unary(Activation::Sigmoid))) && n.epilogue.is_none() && n.inputs[0] == x
        })
    });
    found.map_or(Err(NoMatch), |(x, _)| become_unary(e, at, SILU, x))
}

/// x clip(x + 3, 0, 6) / 6, with the division last or on either factor, or x hardsigmoid(x).
pub(super) fn hard_swish(e: &Editor, at: Place) -> Answer {
    // 6 hardsigmoid(x), or hardsigmoid(x).
    let gate = |id: ValueId| -> Option<(ValueId, f32)> {
        let n = behind(e, id)?;
        match n.op.downcast::<Unary>()?.0 {
            Activation::Clamp { min: 0.0, max: 6.0 } => {
                let (x, three) = with_number(e.graph(), behind(e, n.inputs[0])?, BinaryKind::Add)?;
                (three == 3.0).then_some((x, 6.0))
            }
            Activation::HardSigmoid { alpha, beta: 0.5 } if (alpha - 1.0 / 6.0).abs() < 1e-6 => {
                Some((n.inputs[0], 1.0))
            }
            _ => None,
        }
    };
    let product = |node: &Node| -> Option<(ValueId, f32)> {
        either(node, BinaryKind::Mul).into_iter().find_map(|(x, g)| match gate(g) {
            Some((of, times)) if of == x => Some((x, times)),
            _ => {
                let (inner, by) = divided(e, g)?;
                let (of, times) = gate(inner)?;
                (of == x).then_some((x, times / by))
            }
        })
    };
    let node = e.node(at);
    let whole = product(node).or_else(|| {
        let (inner, by) = divided(e, node.outputs[0])?;
        let (x, times) = product(behind(e, inner)?)?;
        Some((x, times / by))
    });
    match whole {
        Some((x, times)) if (times - 1.0).abs() < 1e-6 => become_unary(e, at, Activation::HardSwish, x),
        _ => Err(NoMatch),
    }
}

/// x (1 + erf(x / sqrt 2)) / 2, in the order PyTorch exports: Mul(Mul(x, Add(Erf(Div(x, 1.414..)), 1)), 0.5), or 0.5 on x.
pub(super) fn gelu(e: &Editor, at: Place) -> Answer {
    // Add(Erf(x / sqrt 2), 1): x
    let gate = |id: ValueId| -> Option<ValueId> {
        let (erf, one) = with_number(e.graph(), behind(e, id)?, BinaryKind::Add)?;
        let erf = behind(e, erf)?;
        if one != 1.0 || erf.op.downcast::<Unary>()?.0 != Activation::Erf {
            return None;
        }
        let (x, by) = divided(e, erf.inputs[0])?;
        ((by - std::f32::consts::SQRT_2).abs() < 1e-5).then_some(x)
    };
    let half = |id: ValueId| -> Option<ValueId> {
        let (x, f) = with_number(e.graph(), behind(e, id)?, BinaryKind::Mul)?;
        (f == 0.5).then_some(x)
    };
    let node = e.node(at);
    // (x g) 0.5
    let last = half(node.outputs[0]).and_then(|product| {
        let pairs = either(behind(e, product)?, BinaryKind::Mul);
        pairs.into_iter().find_map(|(x, g)| (gate(g)? == x).then_some(x))
    });
    // (0.5 x) g, or x (0.5 g)
    let inner = || {
        either(node, BinaryKind::Mul).into_iter().find_map(|(a, g)| match gate(g) {
            Some(x) => (half(a)? == x).then_some(x),
            None => (gate(half(g)?)? == a).then_some(a),
        })
    };
    match last.or_else(inner) {
        Some(x) => become_unary(e, at, Activation::Gelu, x),
        None => Err(NoMatch),
    }
}

/// The mean or maximum over height and width.
pub(super) fn global_pool(e: &Editor, at: Place) -> Answer {
    let (graph, node) = (e.graph(), e.node(at));
    let Some(reduce) = node.op.downcast::<Reduce>() else { return Err(NoMatch) };
    let kind = match reduce.kind {
        ReduceKind::Mean => PoolKind::Avg,
        ReduceKind::Max => PoolKind::Max,
        _ => return Err(NoMatch),
    };
    let &[n, c, h, w] = graph.shape(node.inputs[0]) else { return Err(NoMatch) };
    let mut axes = reduce.axes.clone();
    axes.sort_unstable();
    if axes != [2, 3] || [n, c, h, w].contains(&0) {
        return Err(NoMatch);
    }
    let (op, x) = (Arc::new(AdaptivePool2d { output: [1, 1], kind }), node.inputs[0]);
    let mut edit = e.edit();
    if reduce.keep_dims {
        return Ok(edit.put(at, Node { op, ..node.clone() }));
    }
    let pooled = edit.insert(e, e.before(at), format!("{}.pool", node.name), op, vec![x])?;
    let op = Arc::new(Reshape { shape: graph.shape(node.outputs[0]).to_vec() });
    Ok(edit.put(at, Node { op, inputs: vec![pooled], ..node.clone() }))
}

/// Reshape [n, c, r, r, h, w] (or [n, r, r, c, h, w]), transpose, reshape [n, c, h r, w r].
pub(super) fn pixel_shuffle(e: &Editor, at: Place) -> Answer {
    let (graph, last) = (e.graph(), e.node(at));
    if last.op.downcast::<Reshape>().is_none() {
        return Err(NoMatch);
    }
    let Some(middle) = behind(e, last.inputs[0]) else { return Err(NoMatch) };
    let Some(permute) = middle.op.downcast::<Permute>() else { return Err(NoMatch) };
    let Some(first) = behind(e, middle.inputs[0]) else { return Err(NoMatch) };
    if first.op.downcast::<Reshape>().is_none() || graph.shape(first.inputs[0]).len() != 4 {
        return Err(NoMatch);
    }
    let [n, a, b, c, h, w] = graph.shape(middle.inputs[0])[..] else { return Err(NoMatch) };
    let (order, r, channels, factors) = match permute.order[..] {
        [0, 1, 4, 2, 5, 3] => (Order::ChannelFirst, b, a, [b, c]),
        [0, 3, 4, 1, 5, 2] => (Order::DepthFirst, a, c, [a, b]),
        _ => return Err(NoMatch),
    };
    let source = first.inputs[0];
    let fits = factors == [r, r]
        && graph.shape(source) == [n, channels * r * r, h, w]
        && graph.shape(last.outputs[0]) == [n, channels, h * r, w * r];
    if !fits {
        return Err(NoMatch);
    }
    let op = Arc::new(PixelShuffle { factor: r, order });
    Ok(e.edit().put(at, Node { op, inputs: vec![source], ..last.clone() }))
}

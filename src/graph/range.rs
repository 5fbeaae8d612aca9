//! How large integers can become: which results may leave the 32 bits that a device has for an i64.

use std::ops::Range;

use super::{Graph, Node, ValueId};
use crate::attr::{BinaryKind, PadMode, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::binary::Binary;
use crate::ops::cast::Cast;
use crate::ops::concat::Concat;
use crate::ops::expand::Expand;
use crate::ops::gather::Gather;
use crate::ops::matmul::MatMul;
use crate::ops::max_unpool::MaxUnpool;
use crate::ops::pad::Pad;
use crate::ops::permute::Permute;
use crate::ops::pool2d::MaxPool2d;
use crate::ops::recurrent::Recurrent;
use crate::ops::reduce::{ArgReduce, Reduce};
use crate::ops::reshape::Reshape;
use crate::ops::roi_align::RoiAlign;
use crate::ops::roi_pool::RoiPool;
use crate::ops::select::Where;
use crate::ops::slice::Slice;
use crate::ops::split::Split;
use crate::ops::tile::Tile;
use crate::ops::top_k::TopK;
use crate::shape::DType;

/// Magnitudes from here on do not fit the 32 bits of a device.
pub const LIMIT: f64 = (1u64 << 31) as f64;

/// The nodes, by index, whose i64 results may not fit 32 bits, or for which nothing tells.
pub fn unbounded(graph: &Graph) -> Vec<bool> {
    survey(graph).0
}

/// Integers that a node reads, and the range that they must be in. A device replaces one outside by the nearest inside, without
/// an error.
#[derive(Clone, Debug)]
pub struct Bounded {
    /// The integers.
    pub value: ValueId,
    /// Those that may occur.
    pub range: Range<i64>,
    /// What they are.
    kind: Kind,
}

/// What integers are that must be in a range.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Indices into an axis.
    Indices,
    /// Lengths of sequences.
    Lengths,
    /// Places of a plane.
    Places,
    /// The images of regions.
    Images,
}

impl Bounded {
    /// The indices of a gather or of an unpooling, the images of regions, or the lengths of the sequences of a recurrent layer.
    pub fn of(graph: &Graph, node: &Node) -> Option<Bounded> {
        if let Some(gather) = node.op.downcast::<Gather>() {
            let extent = graph.shape(node.inputs[0])[gather.axis] as i64;
            return Some(Bounded { value: node.inputs[1], range: -extent..extent, kind: Kind::Indices });
        }
        if let Some(unpool) = node.op.downcast::<MaxUnpool>() {
            return Some(Bounded { value: node.inputs[1], range: 0..unpool.size() as i64, kind: Kind::Places });
        }
        if node.op.downcast::<RoiAlign>().is_some() || node.op.downcast::<RoiPool>().is_some() {
            let range = 0..graph.shape(node.inputs[0])[0] as i64;
            return Some(Bounded { value: node.inputs[2], range, kind: Kind::Images });
        }
        let layer: &Recurrent = node.op.downcast()?;
        let value = node.inputs[layer.lengths(node.inputs.len())?];
        let steps = layer.steps(graph.desc(node.inputs[0])) as i64;
        Some(Bounded { value, range: 0..steps + 1, kind: Kind::Lengths })
    }

    /// An error unless all of these are in the range.
    pub fn check(&self, values: impl IntoIterator<Item = i64>, node: &str) -> Result<()> {
        let Some(v) = values.into_iter().find(|v| !self.range.contains(v)) else { return Ok(()) };
        let text = match self.kind {
            Kind::Indices => format!("index {v} is outside an axis of {}", self.range.end),
            Kind::Lengths => format!("a sequence of length {v} among {} steps", self.range.end - 1),
            Kind::Places => format!("index {v} is outside a plane of {}", self.range.end),
            Kind::Images => format!("a region of image {v} among {}", self.range.end),
        };
        Err(Error::argument(text).at(node))
    }
}

/// The nodes, by index, that take integers which the network computes and of which nothing tells that they are within their
/// range.
pub fn outside(graph: &Graph) -> Vec<Option<Bounded>> {
    let (_, magnitudes) = survey(graph);
    let one = |node: &Node| {
        let bounded = Bounded::of(graph, node)?;
        let value = bounded.value;
        let most = magnitudes[value.0];
        let fits = |v: f64| bounded.range.start as f64 <= v && v < bounded.range.end as f64;
        let is_within = match graph.constant_of(value) {
            Some(constant) => constant.iter_f64s().all(fits),
            None => fits(most) && fits(-most),
        };
        let is_safe = graph.inputs.contains(&value) || is_within;
        (!is_safe && !graph.desc(value).is_empty()).then_some(bounded)
    };
    graph.nodes.iter().map(one).collect()
}

/// Which nodes are unbounded, and the largest magnitude of every value.
fn survey(graph: &Graph) -> (Vec<bool>, Vec<f64>) {
    let mut magnitudes: Vec<f64> = graph.values.iter().map(start).collect();
    let mut out = vec![];
    for node in &graph.nodes {
        let bound = magnitude(graph, node, &magnitudes);
        let wide = node.outputs.iter().any(|&id| graph.desc(id).dtype == DType::I64);
        out.push(wide && bound >= LIMIT);
        for id in &node.outputs {
            magnitudes[id.0] = bound.min(most(graph.desc(*id).dtype));
        }
        // The places of the values, which are not bounded by them.
        if let (Some(top), Some(places)) = (node.op.downcast::<TopK>(), node.outputs.get(1)) {
            magnitudes[places.0] = last(graph, node, top.axis);
        }
    }
    (out, magnitudes)
}

/// The last place along an axis of a node's first input.
fn last(graph: &Graph, node: &Node, axis: usize) -> f64 {
    graph.shape(node.inputs[0])[axis].saturating_sub(1) as f64
}

/// The largest magnitude of a constant, or of any value of the type.
fn start(value: &super::Value) -> f64 {
    let most = most(value.desc.dtype);
    match &value.constant {
        Some(t) if !value.desc.dtype.is_float() => t.to_f64s().into_iter().fold(0.0, |m: f64, v| m.max(v.abs())),
        _ => most,
    }
}

/// The largest magnitude of a type on a device, short of which no 64-bit integer leaves the host.
fn most(dtype: DType) -> f64 {
    match dtype {
        DType::Bool => 1.0,
        DType::I8 | DType::U8 => 255.0,
        DType::I16 | DType::U16 => 65_535.0,
        DType::I32 | DType::I64 => LIMIT - 1.0,
        DType::U32 => 2.0 * LIMIT - 1.0,
        _ => f64::INFINITY,
    }
}

/// Whether the result is of a type in which what is below 0 becomes large.
fn unsigned(graph: &Graph, node: &Node) -> bool {
    matches!(graph.desc(node.outputs[0]).dtype, DType::U8 | DType::U16 | DType::U32)
}

/// The largest magnitude of what the bits of two numbers can make: 3 has two bits and a sign, with which -4 is written, too.
fn of_bits(most: f64) -> f64 {
    if most < LIMIT { (most + 1.0).log2().ceil().exp2().min(LIMIT - 1.0) } else { f64::INFINITY }
}

/// The largest magnitude that a result of the node can have, and a sum on the way to it.
fn magnitude(graph: &Graph, node: &Node, of: &[f64]) -> f64 {
    let input = |k: usize| node.inputs.get(k).map_or(0.0, |id| of[id.0]);
    let all = || node.inputs.iter().map(|id: &ValueId| of[id.0]).fold(0.0, f64::max);
    let extent = || graph.desc(node.inputs[0]).numel() as f64;
    if let Some(Binary(kind)) = node.op.downcast() {
        let (a, b) = (input(0), input(1));
        return match kind {
            BinaryKind::Sub if unsigned(graph, node) => f64::INFINITY,
            BinaryKind::Add | BinaryKind::Sub => a + b,
            BinaryKind::Mul => a * b,
            BinaryKind::Pow => f64::INFINITY,
            BinaryKind::Mod | BinaryKind::Fmod => b,
            BinaryKind::Div | BinaryKind::ShiftRight => a,
            BinaryKind::ShiftLeft => a * b.exp2(),
            kind if kind.is_logical() => of_bits(a.max(b)),
            _ => a.max(b),
        };
    }
    if let Some(reduce) = node.op.downcast::<Reduce>() {
        let count = extent() / (graph.desc(node.outputs[0]).numel().max(1) as f64);
        return match reduce.kind {
            ReduceKind::Max | ReduceKind::Min | ReduceKind::Mean => input(0),
            ReduceKind::Sum | ReduceKind::L1 => input(0) * count,
            ReduceKind::SumSquare => input(0) * input(0) * count,
            _ => f64::INFINITY,
        };
    }
    if node.op.downcast::<MatMul>().is_some() {
        return input(0) * input(1) * graph.shape(node.inputs[0]).last().copied().unwrap_or(1) as f64;
    }
    if let Some(pad) = node.op.downcast::<Pad>() {
        let added = if let PadMode::Constant(v) = pad.mode { v.abs() } else { 0.0 };
        return input(0).max(added);
    }
    if let Some(arg) = node.op.downcast::<ArgReduce>() {
        return last(graph, node, arg.axis);
    }
    if node.op.downcast::<MaxPool2d>().is_some() {
        return extent();
    }
    if node.op.downcast::<Cast>().is_some() && unsigned(graph, node) {
        return f64::INFINITY;
    }
    if node.op.downcast::<TopK>().is_some() {
        return input(0).max(extent());
    }
    if node.op.downcast::<Gather>().is_some() || node.op.downcast::<Cast>().is_some() {
        return input(0);
    }
    let moves = node.op.downcast::<Reshape>().is_some()
        || node.op.downcast::<Permute>().is_some()
        || node.op.downcast::<Slice>().is_some()
        || node.op.downcast::<Concat>().is_some()
        || node.op.downcast::<Split>().is_some()
        || node.op.downcast::<Expand>().is_some()
        || node.op.downcast::<Tile>().is_some()
        || node.op.downcast::<Where>().is_some();
    if moves { all() } else { f64::INFINITY }
}

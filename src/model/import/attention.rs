//! Attention and RotaryEmbedding: products of matrices, masks, a softmax.

use super::operator::Operator;
use super::{Import, NodeView, Val, checked_numel};
use crate::attr::{Activation, BinaryKind, PadMode};
use crate::error::{Error, Result};
use crate::graph::attention::{self, Heads, NEVER, joined_heads, split_heads};
use crate::ops::concat::Concat;
use crate::ops::gather::Gather;
use crate::ops::pad::Pad;
use crate::ops::split::Split;
use crate::ops::unary::Unary;
use crate::shape::{DType, broadcast};
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Attention", ATTENTION, attention),
    Operator::new("RotaryEmbedding", &["interleaved", "num_heads", "rotary_embedding_dim"], rotary_embedding),
];

const ATTENTION: &[&str] = &[
    "is_causal",
    "kv_num_heads",
    "left_window_size",
    "q_num_heads",
    "qk_matmul_output_mode",
    "right_window_size",
    "scale",
    "softcap",
    "softmax_precision",
];

/// <https://onnx.ai/onnx/operators/onnx__Attention.html>: `softmax(softcap(scale q k') + mask) v`, a head at a time. A query that
/// no key is allowed for gives 0.
fn attention(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let inputs = Inputs::of(import, node)?;
    let Inputs { heads, .. } = &inputs;
    let scale = node.has("scale").then(|| node.float("scale", 1.0)).transpose()?;
    let scores = heads.scores(import, scale)?;
    let cap = node.float("softcap", 0.0)?;
    let capped = if cap > 0.0 { softcap(import, &scores, cap)? } else { scores.clone() };
    let bias = inputs.bias(import, node)?;
    let (mut biased, mut without) = (capped.clone(), None);
    if let Some(bias) = &bias {
        biased = attention::biased(import, &capped, bias)?;
        let never = attention::without_keys(import, bias)?;
        let is_none = never.known().is_some_and(|t| t.to_f64s().iter().all(|&v| v == 0.0));
        without = (!is_none).then_some(never);
    }
    let weights = attention::weights(import, &biased, without.as_ref())?;
    let mut y = heads.weighted(import, &weights)?;
    if node.input(0)?.rank() == 3 {
        y = joined_heads(import, &y, true)?;
    }
    let shown = match node.int("qk_matmul_output_mode", 0)? {
        0 => scores,
        1 => capped,
        2 => biased,
        3 => weights,
        mode => return Err(Error::file(format!("Attention with qk_matmul_output_mode = {mode}"))),
    };
    Ok(vec![y, heads.k.clone(), heads.v.clone(), shown])
}

/// The inputs; keys and values with those of the past before them.
struct Inputs {
    heads: Heads<Val>,
    mask: Option<Val>,
    /// How many keys are of the past.
    past: usize,
    /// How many keys of every image of the batch are no padding.
    lengths: Option<Val>,
}

impl Inputs {
    fn of(import: &mut Import, node: &NodeView) -> Result<Inputs> {
        let q = heads(import, node, 0, "q_num_heads")?;
        let k = heads(import, node, 1, "kv_num_heads")?;
        let v = heads(import, node, 2, "kv_num_heads")?;
        let (past, lengths) = (node.optional(4), node.optional(6));
        if past.is_some() != node.optional(5).is_some() || past.is_some() && lengths.is_some() {
            let text = "Attention takes past_key and past_value together, and not with nonpad_kv_seqlen";
            return Err(Error::file(text));
        }
        let k = after(import, past, k)?;
        let v = after(import, node.optional(5), v)?;
        let past = past.map_or(0, |past| past.shape()[2]);
        let heads = Heads::new(import, q, k, v)?;
        if let Some(lengths) = lengths.filter(|lengths| lengths.shape() != [heads.q.shape()[0]]) {
            let (q, lengths) = (heads.q.desc(), lengths.desc());
            return Err(Error::shape(format!("Attention of q {q} and nonpad_kv_seqlen {lengths}: they do not fit")));
        }
        Ok(Inputs { heads, mask: node.optional(3).cloned(), past, lengths: lengths.cloned() })
    }

    fn keys(&self) -> usize {
        self.heads.k.shape()[2]
    }

    /// What is added to the scores: the mask of numbers, and minus infinity where a key is not allowed.
    fn bias(&self, import: &mut Import, node: &NodeView) -> Result<Option<Val>> {
        let mask = self.mask.as_ref().map(|mask| self.as_long_as_keys(import, node, mask)).transpose()?;
        let (allowed, numbers): (Vec<_>, Vec<_>) = mask.into_iter().partition(|mask| mask.dtype() == DType::Bool);
        let near = self.near(import, node)?;
        let there = self.lengths.as_ref().map(|lengths| self.there(import, lengths)).transpose()?;
        attention::bias(import, allowed.into_iter().chain(there).chain(near).collect(), numbers)
    }

    /// The mask, which may leave out the last keys: they are not allowed. Before version 24 one key stands for all.
    fn as_long_as_keys(&self, import: &mut Import, node: &NodeView, mask: &Val) -> Result<Val> {
        let (Some(&given), steps) = (mask.shape().last(), self.keys()) else {
            return Err(Error::shape(format!("Attention with a mask {}: it must have axes", mask.desc())));
        };
        let q = self.heads.q.shape();
        let scores = [q[0], q[1], q[2], steps];
        let filled = [&mask.shape()[..mask.rank() - 1], &[if given == 1 { 1 } else { steps }]].concat();
        let fits = given <= steps && broadcast(&filled, &scores).is_ok_and(|shape| shape == scores);
        if !fits || !(mask.dtype() == DType::Bool || mask.dtype().is_float()) {
            let text =
                format!("Attention with a mask {} of scores {scores:?}: it takes floats or booleans", mask.desc());
            return Err(Error::shape(format!("{text} that broadcast to them")));
        }
        if given >= steps || given == 1 && node.opset < 24 {
            return Ok(mask.clone());
        }
        if mask.dtype() == DType::Bool {
            let rest = [&mask.shape()[..mask.rank() - 1], &[steps - given]].concat();
            let rest = Tensor::of(&rest[..], vec![false; checked_numel(&rest)?]);
            return import.apply(Concat { axis: mask.rank() - 1 }, &[mask, &rest.into()]);
        }
        let mut pads = vec![[0, 0]; mask.rank()];
        pads[mask.rank() - 1][1] = (steps - given) as i64;
        import.apply(Pad { pads, mode: PadMode::Constant(NEVER.into()) }, &[mask])
    }

    /// Whether a key is near enough to the query: not after one that may only look back, and within the window on either side.
    /// The position of query i among the keys is `i + offset`, the number of keys before the first query.
    fn near(&self, import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
        let [left, right] = ["left_window_size", "right_window_size"].map(|name| window(node, name));
        let right = if node.flag("is_causal", false)? { Some(0) } else { right? };
        let (queries, keys) = (self.heads.q.shape()[2], self.keys());
        let mut position: Val = counted(&[queries, 1], self.past as i64).into();
        if let Some(lengths) = &self.lengths {
            let lengths = self.per_image(import, lengths)?;
            let offset = import.binary(BinaryKind::Sub, &lengths, &Tensor::of([], vec![queries as i64]).into())?;
            position = import.binary(BinaryKind::Add, &position, &offset)?;
        }
        let mut all = vec![];
        if let Some(right) = right {
            all.push(import.binary(BinaryKind::LessOrEqual, &counted(&[1, keys], -right).into(), &position)?);
        }
        if let Some(left) = left? {
            all.push(import.binary(BinaryKind::GreaterOrEqual, &counted(&[1, keys], left).into(), &position)?);
        }
        Ok(all)
    }

    /// Whether a key is no padding.
    fn there(&self, import: &mut Import, lengths: &Val) -> Result<Val> {
        let lengths = self.per_image(import, lengths)?;
        import.binary(BinaryKind::Less, &counted(&[1, self.keys()], 0).into(), &lengths)
    }

    /// A number per image as i64, broadcast over heads, queries and keys.
    fn per_image(&self, import: &mut Import, lengths: &Val) -> Result<Val> {
        let lengths = import.cast(lengths, DType::I64)?;
        import.reshape(&lengths, &[self.heads.q.shape()[0], 1, 1, 1])
    }
}

/// The numbers from `first` on.
fn counted(shape: &[usize; 2], first: i64) -> Tensor {
    Tensor::of(&shape[..], (first..).take(shape[0] * shape[1]).collect::<Vec<_>>())
}

/// How many keys on a side of the query are allowed; `None`: all.
fn window(node: &NodeView, name: &str) -> Result<Option<i64>> {
    match node.int(name, -1)? {
        -1 => Ok(None),
        size @ 0..0x7fff_ffff => Ok(Some(size)),
        size => Err(Error::file(format!("Attention with {name} = {size}"))),
    }
}

/// Input k as `[batch, heads, steps, size]`; with three axes the last one has all heads, as many as the attribute says.
fn heads(import: &mut Import, node: &NodeView, k: usize, attribute: &str) -> Result<Val> {
    let x = node.input(k)?;
    match *x.shape() {
        [_, _, _, _] => Ok(x.clone()),
        [_, _, _] => split_heads(import, x, node.count(attribute, 0)?, true),
        _ => Err(Error::shape(format!("{} of {}: it takes three axes or four", node.op(), x.desc()))),
    }
}

/// `new` behind the past, if there is one.
fn after(import: &mut Import, past: Option<&Val>, new: Val) -> Result<Val> {
    match past {
        Some(past) if past.rank() == 4 => import.apply(Concat { axis: 2 }, &[past, &new]),
        Some(past) => Err(Error::shape(format!("Attention with a past of {}: it takes four axes", past.desc()))),
        None => Ok(new),
    }
}

/// `cap tanh(x / cap)`.
fn softcap(import: &mut Import, x: &Val, cap: f32) -> Result<Val> {
    let x = import.binary(BinaryKind::Div, x, &Tensor::scalar(cap).into())?;
    let x = import.apply(Unary(Activation::Tanh), &[&x])?;
    import.scale(&x, cap)
}

/// <https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html>: pairs of the first elements of every head are turned by the angle
/// of their position, whose cosine and sine are given.
fn rotary_embedding(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let given = node.input(0)?;
    let x = heads(import, node, 0, "num_heads")?;
    let &[b, count, steps, size] = x.shape() else { unreachable!("it has four axes") };
    let turned = match node.count("rotary_embedding_dim", 0)? {
        0 => size,
        turned => turned,
    };
    if turned > size || turned % 2 != 0 {
        return Err(Error::shape(format!("RotaryEmbedding of {turned} elements of {}", x.desc())));
    }
    let half = turned / 2;
    let [cos, sin] = [1, 2].map(|k| angles(import, node, k, [b, steps, half]));
    let (cos, sin) = (cos?, sin?);
    let parts = import.apply_all(Split { axis: 3, sizes: vec![turned, size - turned] }, &[&x])?;
    // The pairs: neighbours, or an element of the first half and one of the second.
    let interleaved = node.flag("interleaved", false)?;
    let (shape, axis) = if interleaved { ([b, count, steps, half, 2], 4) } else { ([b, count, steps, 2, half], 3) };
    let pairs = import.reshape(&parts[0], &shape)?;
    let mut ends = vec![];
    for end in import.apply_all(Split { axis, sizes: vec![1, 1] }, &[&pairs])? {
        ends.push(import.reshape(&end, &[b, count, steps, half])?);
    }
    let real = combined(import, BinaryKind::Sub, [&ends[0], &cos], [&ends[1], &sin])?;
    let imaginary = combined(import, BinaryKind::Add, [&ends[0], &sin], [&ends[1], &cos])?;
    let mut single = shape;
    single[axis] = 1;
    let [real, imaginary] = [import.reshape(&real, &single)?, import.reshape(&imaginary, &single)?];
    let y = import.apply(Concat { axis }, &[&real, &imaginary])?;
    let y = import.reshape(&y, &[b, count, steps, turned])?;
    let y = if turned < size { import.apply(Concat { axis: 3 }, &[&y, &parts[1]])? } else { y };
    Ok(vec![if given.rank() == 3 { joined_heads(import, &y, true)? } else { y }])
}

/// `f(a b, c d)`.
fn combined(import: &mut Import, f: BinaryKind, [a, b]: [&Val; 2], [c, d]: [&Val; 2]) -> Result<Val> {
    let (left, right) = (import.binary(BinaryKind::Mul, a, b)?, import.binary(BinaryKind::Mul, c, d)?);
    import.binary(f, &left, &right)
}

/// The cosines or sines of every position, `[batch, 1, steps, half]`: rows of a table, or given per image.
fn angles(import: &mut Import, node: &NodeView, k: usize, [b, steps, half]: [usize; 3]) -> Result<Val> {
    let cache = node.input(k)?;
    let rows = match node.optional(3) {
        Some(positions) if cache.rank() == 2 => import.apply(Gather { axis: 0 }, &[cache, positions])?,
        _ => cache.clone(),
    };
    if rows.shape() != [b, steps, half] {
        let text = format!("RotaryEmbedding with angles {}: they must give [{b}, {steps}, {half}]", cache.desc());
        return Err(Error::shape(text));
    }
    import.reshape(&rows, &[b, 1, steps, half])
}

//! Random attributes, shapes and values of operators.

use std::sync::Arc;

use crate::attr::{Activation, BinaryKind, Pads, Window};
use crate::graph::rewrite::rewrite;
use crate::graph::{Graph, ValueId};
use crate::ops::Op;
use crate::rng::Rng;
use crate::shape::{DType, Desc};
use crate::tensor::{Data, Tensor};

/// Integers that are edge cases of arithmetic.
pub const EDGES: [i64; 20] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    4,
    7,
    255,
    65_535,
    65_536,
    1 << 30,
    (1 << 31) - 1,
    1 << 31,
    -(1 << 31),
    (1 << 32) - 1,
    1 << 32,
    1 << 40,
    i64::MAX,
    i64::MIN,
];

/// An operator with the descriptions of its inputs. They need not fit it.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The operator.
    pub op: Arc<dyn Op>,
    /// Its inputs.
    pub inputs: Vec<Desc>,
    /// Whether the inputs from the second on may be constants.
    pub weights: bool,
    /// Nodes after it which a kernel may take as its epilogue.
    pub follow: Option<Follow>,
    /// What the values of each input must be; any where the list is shorter.
    pub fills: Vec<Fill>,
}

/// What the values of an input must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Any numbers.
    Any,
    /// Finite numbers: a subnormal number times an infinite one is infinite, or NaN if the device flushes it.
    Finite,
    /// Above 0: variances, arguments of logarithms.
    Positive,
    /// Any numbers, some of them as negative as what masks an attention.
    Masked,
    /// Near 1 and -1, so that products of thousands stay in the range of f32.
    Factors,
    /// An index along an axis of this extent, from either end.
    Index(usize),
    /// Coordinates of a grid over an image, whose borders are -1 and 1: in it and about it, at its corners, far from it.
    Grid,
    /// Corners of boxes, x1, y1, x2, y2, about an image that ends at this number: in it and about it, some in whole pixels,
    /// without an extent, or far out.
    Boxes(f32),
    /// A count, up to this one.
    UpTo(usize),
    /// Integers of any bits; any numbers of another type.
    Bits,
}

/// Nodes after an operator which its kernel may take as its epilogue.
#[derive(Clone, Copy, Debug)]
pub enum Follow {
    /// The sum with another tensor.
    Residual,
    /// The sum with another tensor, and a function of it.
    ResidualAnd(Activation),
    /// A function.
    Just(Activation),
    /// A parametric relu with one slope for all channels, or with one per channel.
    Prelu(bool),
}

impl Drawn {
    /// An operator of these inputs.
    pub fn new(op: impl Op + 'static, inputs: Vec<Desc>) -> Drawn {
        Drawn { op: Arc::new(op), inputs, weights: true, follow: None, fills: vec![] }
    }

    /// The same with values of this kind, one per input.
    pub fn filled(self, fills: impl Into<Vec<Fill>>) -> Drawn {
        Drawn { fills: fills.into(), ..self }
    }

    /// A graph of the operator alone, with all inputs open; `None` if its shape rule refuses.
    pub fn graph(&self) -> Option<Graph> {
        let mut graph = Graph::new();
        let mut ids = vec![];
        for (k, desc) in self.inputs.iter().enumerate() {
            ids.push(graph.input(k.to_string(), desc.clone()).ok()?);
        }
        for (k, id) in graph.add_arc("node".to_owned(), self.op.clone(), &ids).ok()?.into_iter().enumerate() {
            graph.output(k.to_string(), id);
        }
        Some(graph)
    }

    /// A graph of one node with what follows as its epilogue, and values for each of the node's inputs, of which some are
    /// constants; `None` if the shape rule refuses, or if the epilogue does not become a part of the node.
    pub fn valued(&self, r: &mut Draws) -> Option<(Graph, Vec<Tensor>)> {
        let mut graph = Graph::new();
        let (mut ids, mut values) = (vec![], vec![]);
        let constants = self.weights && r.flag();
        for (k, desc) in self.inputs.iter().enumerate() {
            let value = r.values(desc, self.fills.get(k).copied().unwrap_or(Fill::Any));
            ids.push(match constants && k > 0 {
                true => graph.constant(k.to_string(), value.clone()).ok()?,
                false => graph.input(k.to_string(), desc.clone()).ok()?,
            });
            values.push(value);
        }
        let outputs = graph.add_arc("node".to_owned(), self.op.clone(), &ids).ok()?;
        let outputs = match self.follow {
            Some(follow) => vec![follow.apply(&mut graph, outputs[0], &mut values, r)?],
            None => outputs,
        };
        outputs.into_iter().enumerate().for_each(|(k, id)| graph.output(k.to_string(), id));
        if self.follow.is_some() {
            rewrite(&mut graph);
            // A rewrite may change the inputs: folded scales, other constants.
            let [node] = &graph.nodes[..] else { return None };
            let value = |id: &ValueId| match graph.constant_of(*id) {
                Some(constant) => Some(constant.clone()),
                None => values.get(graph.values[id.0].name.parse::<usize>().ok()?).cloned(),
            };
            values = node.inputs.iter().map(value).collect::<Option<_>>()?;
        }
        Some((graph, values))
    }
}

impl Follow {
    /// Adds the nodes after `y`; further inputs get values.
    fn apply(self, graph: &mut Graph, y: ValueId, values: &mut Vec<Tensor>, r: &mut Draws) -> Option<ValueId> {
        let add = |graph: &mut Graph, values: &mut Vec<Tensor>, r: &mut Draws| {
            let desc = graph.desc(y).clone();
            let other = graph.input(values.len().to_string(), desc.clone()).ok()?;
            values.push(r.values(&desc, Fill::Any));
            graph.binary(y, other, BinaryKind::Add).ok()
        };
        match self {
            Follow::Residual => add(graph, values, r),
            Follow::ResidualAnd(function) => {
                let sum = add(graph, values, r)?;
                graph.activation(sum, function).ok()
            }
            Follow::Just(function) => graph.activation(y, function).ok(),
            Follow::Prelu(one) => {
                let channels = graph.shape(y).get(1).copied().unwrap_or(1);
                let slope = r.values(&Desc::f32([if one { 1 } else { channels }]), Fill::Any);
                let id = graph.constant(values.len().to_string(), slope.clone()).ok()?;
                values.push(slope);
                graph.prelu(y, id).ok()
            }
        }
    }
}

/// The numbers of draws: those of a generator, after a byte each that a coverage-guided fuzzer chose.
#[derive(Clone, Debug)]
pub struct Source {
    bytes: std::vec::IntoIter<u8>,
    rng: Rng,
}

impl From<Rng> for Source {
    fn from(rng: Rng) -> Source {
        Source { bytes: vec![].into_iter(), rng }
    }
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Source {
        Source { bytes: Vec::from(bytes).into_iter(), rng: Rng(0) }
    }
}

impl Source {
    /// Uniform in [lo, hi], of a generator; up to `lo + 255` of a byte.
    pub fn int(&mut self, lo: usize, hi: usize) -> usize {
        match self.bytes.next() {
            Some(byte) => lo + usize::from(byte) % (hi - lo + 1),
            None => self.rng.int(lo, hi),
        }
    }

    /// The next 64 bits, always of the generator.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.rng.next()
    }

    /// Uniform in [-1, 1), always of the generator.
    pub fn float(&mut self) -> f32 {
        self.rng.float()
    }

    /// Numbers in [-2, 2), always of the generator.
    pub fn tensor(&mut self, shape: &[usize]) -> Tensor {
        self.rng.tensor(shape)
    }
}

/// Random attributes, shapes and values.
#[derive(Debug)]
pub struct Draws {
    /// The source of all of them.
    pub rng: Source,
    /// Whether attributes are sometimes absurd.
    pub wild: bool,
    /// What the values are.
    pub values: Values,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Numbers of several magnitudes.
    Numbers,
    /// Small integers, for operators whose sums of them are exact.
    Integers,
    /// Numbers, NaNs, infinities, both zeros, and subnormal numbers.
    Edges,
}

/// The types of integers.
pub const INTEGERS: [DType; 7] = [DType::I8, DType::U8, DType::I16, DType::U16, DType::I32, DType::U32, DType::I64];

/// Floats that are not like others, but for those whose squares or sums are too large for f32.
const EDGE_FLOATS: [f32; 14] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    1e-40,
    -1e-40,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e4,
    -1e4,
    65_504.0,
    1.0,
    -1.0,
];

impl Draws {
    /// True in half of the draws.
    pub fn flag(&mut self) -> bool {
        self.rng.int(0, 1) == 0
    }

    /// One of these.
    pub fn one<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.rng.int(0, list.len() - 1)].clone()
    }

    /// An edge case of integer arithmetic.
    pub fn edge(&mut self) -> i64 {
        self.one(&EDGES)
    }

    /// 1 to 5, rarely 0 or an edge case.
    pub fn count(&mut self) -> usize {
        match self.rng.int(0, 40) {
            0 if self.wild => self.edge() as usize,
            1 => 0,
            2 => self.rng.int(6, 300),
            _ => self.rng.int(1, 5),
        }
    }

    /// An extent: mostly small, sometimes as long as a row of invocations.
    pub fn extent(&mut self) -> usize {
        if !self.wild && self.rng.int(0, 7) == 0 { self.rng.int(6, 70) } else { self.count() }
    }

    /// -3 to 3, rarely an edge case.
    pub fn signed(&mut self) -> i64 {
        if self.wild && self.rng.int(0, 15) == 0 { self.edge() } else { self.rng.int(0, 6) as i64 - 3 }
    }

    /// A scalar attribute.
    pub fn number(&mut self) -> f32 {
        match self.wild {
            true => self.one(&[0.0, 1e-5, 0.5, 1.0, -1.0, 3.5, f32::MAX, f32::INFINITY, f32::NAN]),
            false => self.one(&[1e-5, 0.25, 0.5, 1.0, 2.0, 3.5]),
        }
    }

    /// The type of an input: any, or f32 where others have no [`Values::Edges`]. (On a device f64 has the range of f32.)
    pub fn dtype(&mut self) -> DType {
        if self.values == Values::Edges { DType::F32 } else { self.any_dtype() }
    }

    /// Any type, mostly one of those that networks have.
    pub fn any_dtype(&mut self) -> DType {
        use DType::*;
        self.one(&[F32, F32, F32, I64, I64, I32, I32, Bool, F64, I8, U8, I16, U16, U32])
    }

    /// Of two axes.
    pub fn pair(&mut self) -> [usize; 2] {
        [self.count(), self.count()]
    }

    /// Sides of a padding, other ones each.
    pub fn pads(&mut self) -> Pads {
        [[(); 2]; 2].map(|axis| axis.map(|()| self.count().saturating_sub(1)))
    }

    /// A moving window.
    pub fn window(&mut self) -> Window {
        Window { kernel: self.pair(), stride: self.pair(), padding: self.pads(), dilation: self.pair() }
    }

    /// An image large enough for most windows.
    pub fn image(&mut self) -> [usize; 4] {
        let side = |r: &mut Draws| if r.rng.int(0, 3) == 0 { r.count() } else { r.rng.int(6, 24) };
        [self.count(), self.extent(), side(self), side(self)]
    }

    /// A shape of at most `most` axes.
    pub fn shape(&mut self, most: usize) -> Vec<usize> {
        (0..self.rng.int(0, most)).map(|_| self.extent()).collect()
    }

    /// A shape and one of its axes, rarely another number.
    pub fn shape_and_axis(&mut self) -> (Vec<usize>, usize) {
        let shape = self.shape(6);
        let axis = if self.rng.int(0, 15) == 0 { self.count() } else { self.rng.int(0, shape.len().max(1) - 1) };
        (shape, axis)
    }

    /// Some axes of a tensor, in order.
    pub fn some_axes(&mut self, rank: usize) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..rank).filter(|_| self.flag()).collect();
        if self.rng.int(0, 15) == 0 {
            axes.push(self.count());
        }
        axes
    }

    /// A permutation of axes.
    pub fn order(&mut self, rank: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rank).collect();
        for k in (1..rank).rev() {
            let other = self.rng.int(0, k);
            order.swap(k, other);
        }
        if self.rng.int(0, 15) == 0 {
            order.push(self.count());
        }
        order
    }

    /// One entry per axis, rarely one more.
    pub fn list<T>(&mut self, shape: &[usize], entry: impl Fn(&mut Draws, usize) -> T) -> Vec<T> {
        let mut out: Vec<T> = shape.iter().map(|&n| entry(self, n)).collect();
        if self.rng.int(0, 31) == 0 {
            out.push(entry(self, 1));
        }
        out
    }

    /// Two shapes that mostly broadcast.
    pub fn broadcast(&mut self) -> (Vec<usize>, Vec<usize>) {
        let a = self.shape(7);
        let from = self.rng.int(0, a.len());
        let b = a[from..].iter().map(|&n| if self.rng.int(0, 2) == 0 { 1 } else { n }).collect();
        if self.flag() { (a, b) } else { (b, a) }
    }

    /// A description of floats, rarely of something else.
    pub fn desc(&mut self, shape: &[usize]) -> Desc {
        let dtype = if self.rng.int(0, 20) == 0 { self.dtype() } else { DType::F32 };
        Desc::new(shape, dtype)
    }

    /// A description of any type.
    pub fn any_desc(&mut self, most: usize) -> Desc {
        let shape = self.shape(most);
        Desc::new(shape, self.dtype())
    }

    /// An operator of one image.
    pub fn of_image(&mut self, op: impl Op + 'static) -> Drawn {
        let shape = self.image();
        self.of(op, &[&shape])
    }

    /// An operator of floats, mostly.
    pub fn of(&mut self, op: impl Op + 'static, shapes: &[&[usize]]) -> Drawn {
        let mut descs: Vec<Desc> = shapes.iter().map(|s| self.desc(s)).collect();
        if self.rng.int(0, 15) == 0 && !descs.is_empty() {
            let k = self.rng.int(0, descs.len() - 1);
            descs[k] = self.any_desc(7);
        }
        if self.rng.int(0, 31) == 0 {
            descs.pop();
        }
        Drawn::new(op, descs)
    }

    /// Values: small integers, or numbers of several magnitudes.
    pub fn values(&mut self, desc: &Desc, fill: Fill) -> Tensor {
        let n = desc.numel();
        let data: Data = match (desc.dtype, fill) {
            (_, Fill::Index(extent)) => {
                let index = |r: &mut Draws| r.rng.int(0, 2 * extent - 1) as i64 - extent as i64;
                (0..n).map(|_| index(self)).collect::<Vec<_>>().into()
            }
            (DType::F32, Fill::Grid) => (0..n).map(|_| self.grid_value()).collect::<Vec<_>>().into(),
            (DType::F32, Fill::Boxes(end)) => {
                let corners = (0..n.div_ceil(4)).flat_map(|_| self.corners(end)).take(n);
                corners.collect::<Vec<_>>().into()
            }
            (_, Fill::UpTo(most)) => (0..n).map(|_| self.rng.int(0, most) as i64).collect::<Vec<_>>().into(),
            // 32 of them: a device has no more.
            (dtype, Fill::Bits) if dtype.is_integer() => {
                (0..n).map(|_| i64::from(self.rng.next() as i32)).collect::<Vec<_>>().into()
            }
            (dtype, _) if dtype.is_float() => self.floats(n, fill).into(),
            (DType::Bool, _) => (0..n).map(|_| self.flag()).collect::<Vec<_>>().into(),
            _ => (0..n).map(|_| self.signed()).collect::<Vec<_>>().into(),
        };
        Tensor::new(desc.shape.clone(), data).expect("counted").to_dtype(desc.dtype)
    }

    fn grid_value(&mut self) -> f32 {
        match self.rng.int(0, 15) {
            0 => self.one(&[-1.0, 1.0, 0.0]),
            1 => self.rng.int(0, 32) as f32 / 8.0 - 2.0,
            2 => self.rng.float() * 20.0,
            3 => self.one(&[1e4, -1e7, 3e9, -1e20, f32::MAX, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
            _ => self.rng.float() * 1.3,
        }
    }

    /// Two corners of a box.
    fn corners(&mut self, end: f32) -> [f32; 4] {
        let kind = self.rng.int(0, 15);
        let place = |r: &mut Draws| match kind {
            0 => r.one(&[1e4, -1e7, 3e9, -1e20, f32::MAX, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
            1..=5 => (r.rng.float().abs() * 1.2 * end - 0.1 * end).round(),
            6..=8 => (r.rng.float().abs() * 4.0 * end).round() / 4.0,
            _ => r.rng.float().abs() * 1.3 * end - 0.15 * end,
        };
        let [a, b, c, d] = [(); 4].map(|()| place(self));
        // Rarely the second corner is not behind the first, or the same.
        match self.rng.int(0, 9) {
            0 => [a, b, c, d],
            1 => [a, b, a, b],
            _ => [a.min(c), b.min(d), a.max(c), b.max(d)],
        }
    }

    fn floats(&mut self, n: usize, fill: Fill) -> Vec<f32> {
        let numbers: Vec<f32> = match self.rng.int(0, 15) {
            _ if self.values == Values::Integers => (0..n).map(|_| self.rng.int(0, 8) as f32 - 4.0).collect(),
            kind if self.values == Values::Edges => {
                // Mostly finite, so that what is next to a NaN counts as well.
                let rare = [2, 7, 40][kind % 3];
                let edge = |r: &mut Draws| if r.rng.int(0, rare) == 0 { r.one(&EDGE_FLOATS) } else { r.rng.float() };
                let all = (0..n).map(|_| edge(self));
                all.map(|v| if fill == Fill::Finite && !v.is_finite() { 0.5 } else { v }).collect()
            }
            0 | 1 => (0..n).map(|_| self.number()).collect(),
            2 => (0..n).map(|_| self.rng.float() * 30.0).collect(),
            3 => (0..n).map(|_| self.rng.float() * 1e-3 + 5.0).collect(),
            _ => (0..n).map(|_| self.rng.float()).collect(),
        };
        match fill {
            Fill::Positive => numbers.into_iter().map(|v| v.abs() + 0.0625).collect(),
            Fill::Factors => {
                // As many above 1 as below, whatever the numbers are.
                let mut half = || if self.flag() { 0.5f32 } else { -0.5 };
                numbers.into_iter().map(|v| (half() * v.sin()).exp2().copysign(v)).collect()
            }
            Fill::Masked if self.rng.int(0, 3) == 0 => {
                let mask = self.one(&[f32::MIN, -1e30, -65_504.0, -1e4]);
                numbers.into_iter().map(|v| if self.rng.int(0, 2) == 0 { mask } else { v }).collect()
            }
            _ => numbers,
        }
    }
}

/// The places of a window along both axes of an image; 1 where it does not fit, or is none.
pub fn places(window: &Window, size: [usize; 2]) -> [usize; 2] {
    const MOST: usize = 1 << 16;
    let Window { kernel, stride, padding, dilation } = window;
    let is_window = [kernel, stride, dilation].into_iter().flatten().all(|n| (1..MOST).contains(n));
    if !is_window || padding.as_flattened().iter().chain(&size).any(|n| *n >= MOST) {
        return [1, 1];
    }
    [0, 1].map(|axis| window.outputs(axis, size[axis]).unwrap_or(1))
}

/// A product that does not overflow.
pub fn product(extents: &[usize]) -> usize {
    extents.iter().fold(1, |product, &n| product.saturating_mul(n))
}

impl Rng {
    /// Uniform in [lo, hi].
    pub fn int(&mut self, lo: usize, hi: usize) -> usize {
        lo + (self.next() % (hi - lo + 1) as u64) as usize
    }

    /// One of these; `None` if there are none.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        if list.is_empty() { None } else { list.get(self.int(0, list.len() - 1)) }
    }

    /// Numbers in [-2, 2).
    pub fn tensor(&mut self, shape: &[usize]) -> Tensor {
        let n = shape.iter().product();
        Tensor::new(shape, (0..n).map(|_| self.float() * 2.0).collect::<Vec<_>>()).expect("counted")
    }

    /// Integers from -4 to 4: sums of their products are exact in f32, so results are compared with `==`.
    pub fn integers(&mut self, shape: &[usize]) -> Tensor {
        let n = shape.iter().product();
        Tensor::new(shape, (0..n).map(|_| self.int(0, 8) as f32 - 4.0).collect::<Vec<_>>()).expect("counted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_of_the_bytes_and_then_of_the_generator() {
        let draws = |mut source: Source| [(); 4].map(|()| source.int(10, 14));
        let [a, b, c, d] = draws(Rng(0).into());
        assert_eq!(draws(Source::from(&[0, 4, 255][..])), [10, 14, 10, a]);
        assert_eq!(draws(Source::from(&[][..])), [a, b, c, d]);
    }
}

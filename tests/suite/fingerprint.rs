//! The identity of operators and graphs: every attribute is part of it, names of nodes are not.

use std::any::Any;
use std::collections::BTreeSet;

use convgpu::custom::{AttributeValue, Attributes, Bounds, Op, Site, Variant};
use convgpu::internals::attr::{
    Activation, BinaryKind, Cell, Coordinates, Direction, Extreme, GridSampleMode, GridSamplePadding, PadMode,
    PoolKind, ReduceKind, ResizeMode, Rounding, Trigonometric, Window,
};
use convgpu::internals::bench::FmaChain;
use convgpu::internals::graph::{are_one, are_one_operator};
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::batch_norm::{BatchNorm, BatchNormTraining};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::bytes::FromBytes;
use convgpu::internals::ops::cast::Cast;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::deform_columns::DeformColumns;
use convgpu::internals::ops::expand::Expand;
use convgpu::internals::ops::fold::Fold;
use convgpu::internals::ops::gather::Gather;
use convgpu::internals::ops::grid_sample::GridSample;
use convgpu::internals::ops::group_norm::GroupNorm;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::local_response_norm::LocalResponseNorm;
use convgpu::internals::ops::max_unpool::MaxUnpool;
use convgpu::internals::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use convgpu::internals::ops::pad::Pad;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use convgpu::internals::ops::pixels::{Channels, FromPixels, Norm, ToPixels};
use convgpu::internals::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use convgpu::internals::ops::recurrent::Recurrent;
use convgpu::internals::ops::reduce::{ArgReduce, Reduce};
use convgpu::internals::ops::reshape::Reshape;
use convgpu::internals::ops::resize::Resize2d;
use convgpu::internals::ops::roi_align::RoiAlign;
use convgpu::internals::ops::roi_pool::RoiPool;
use convgpu::internals::ops::sine::Sine;
use convgpu::internals::ops::slice::Slice;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::split::Split;
use convgpu::internals::ops::tile::Tile;
use convgpu::internals::ops::top_k::TopK;
use convgpu::internals::ops::trigonometry::Trigonometry;
use convgpu::internals::ops::unary::Unary;
use convgpu::{DType, Desc, Graph, Result, Tensor};

use crate::samples::graphs;

/// An operator, and the same with one attribute changed, by the attribute's name.
struct Changes {
    base: Box<dyn Op>,
    changed: Vec<(&'static str, Box<dyn Op>)>,
}

macro_rules! changes {
    ($base:expr => $($field:ident $(.$part:ident)?: $value:expr),+) => {{
        let base = $base;
        let changed = vec![$(([stringify!($field) $(, stringify!($part))?].last().copied().unwrap(), {
            let mut op = base.clone();
            op.$field $(.$part)? = $value;
            Box::new(op) as Box<dyn Op>
        })),+];
        Changes { base: Box::new(base), changed }
    }};
}

fn rgb() -> Channels {
    let norm = Norm { scale: 1.0 / 255.0, mean: [0.0; 4], std: [1.0; 4] };
    Channels { count: 3, swapped: false, last: false, norm }
}

const WINDOW: Window = Window { kernel: [2; 2], stride: [1; 2], padding: [[0; 2]; 2], dilation: [1; 2] };

fn max_pool() -> MaxPool2d {
    MaxPool2d { window: WINDOW, ceil_mode: false, indices: Indices::None }
}

fn avg_pool() -> AvgPool2d {
    AvgPool2d { window: WINDOW, ceil_mode: false, count_include_pad: true, divisor_override: None }
}

fn lp_pool() -> LpPool2d {
    LpPool2d { window: WINDOW, ceil_mode: false, p: 2, signed: false, rescale: false }
}

fn rnn(cell: Cell) -> Recurrent {
    Recurrent { cell, direction: Direction::Forward, clip: None, batch_first: false }
}

fn lstm(peepholes: bool, coupled: bool) -> Cell {
    Cell::Lstm { f: Activation::Sigmoid, g: Activation::Tanh, h: Activation::Tanh, peepholes, coupled }
}

fn gru(reset_after: bool) -> Cell {
    Cell::Gru { f: Activation::Sigmoid, g: Activation::Tanh, reset_after }
}

/// Every operator that has attributes.
fn all() -> Vec<Changes> {
    let pixels = |norm| Channels { norm, ..rgb() };
    let norm = rgb().norm;
    vec![
        changes!(AdaptivePool2d { output: [1, 1], kind: PoolKind::Avg } => output: [1, 2], kind: PoolKind::Max),
        changes!(BatchNorm { eps: 1e-5 } => eps: 1.0001e-5),
        changes!(BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased: true } =>
            eps: 1e-4, momentum: 0.2, unbiased: false),
        Changes { base: Box::new(Binary(BinaryKind::Add)), changed: vec![("kind", Box::new(Binary(BinaryKind::Sub)))] },
        changes!(FromBytes { desc: Desc::new([4], DType::U8) } => desc: Desc::new([4], DType::I8)),
        changes!(FromBytes { desc: Desc::new([4], DType::U8) } => desc: Desc::new([2, 2], DType::U8)),
        changes!(Cast { to: DType::F32 } => to: DType::F16),
        changes!(Concat { axis: 0 } => axis: 1),
        changes!(Conv2d::default() => stride: [1, 2], padding: [[0, 0], [0, 1]], dilation: [2, 1], groups: 2),
        changes!(ConvTranspose2d::default() =>
            stride: [2, 1], padding: [[1, 0], [0, 0]], output_padding: [0, 1], dilation: [1, 2], groups: 3),
        changes!(Expand { shape: vec![2, 3] } => shape: vec![2, 3, 1]),
        changes!(DeformColumns { window: WINDOW, groups: 1 } => window.kernel: [2, 3], window.stride: [2, 1],
            window.padding: [[0, 1], [0, 0]], window.dilation: [1, 2], groups: 2),
        changes!(Fold { window: WINDOW, size: [5, 6] } => window.kernel: [2, 3], window.stride: [2, 1],
            window.padding: [[0, 1], [0, 0]], window.dilation: [1, 2], size: [6, 5]),
        changes!(Gather { axis: 0 } => axis: 1),
        changes!(GridSample { mode: GridSampleMode::Bilinear, padding_mode: GridSamplePadding::Zeros, align_corners: true } =>
            mode: GridSampleMode::Nearest, padding_mode: GridSamplePadding::Border, align_corners: false),
        changes!(GroupNorm { groups: 2, eps: 1e-5 } => groups: 3, eps: 1e-6),
        changes!(LayerNorm { axes: 2, eps: 1e-5, stats: true } => axes: 1, eps: 1e-6, stats: false),
        changes!(LocalResponseNorm { size: 3, before: 1, alpha: 1e-4, beta: 0.75, k: 1.0 } =>
            size: 5, before: 2, alpha: 1e-3, beta: 0.5, k: 2.0),
        changes!(LpNormalize { axis: 1, p: 2 } => axis: 2, p: 1),
        changes!(MaxUnpool { shape: vec![2, 6], planes: 1 } => shape: vec![2, 2, 3], planes: 2),
        changes!(MeanVarianceNormalize { axes: vec![1, 2], eps: 1e-9 } => axes: vec![12], eps: 1e-8),
        changes!(Pad { pads: vec![[0, 1], [1, 0]], mode: PadMode::Constant(0.0) } =>
            pads: vec![[0, 1, ], [0, 1]], mode: PadMode::Constant(-0.0)),
        changes!(Pad { pads: vec![], mode: PadMode::Reflect } => pads: vec![[0, 0]], mode: PadMode::Replicate),
        changes!(Permute { order: vec![0, 1] } => order: vec![1, 0]),
        changes!(PixelShuffle { factor: 2, order: Order::ChannelFirst } => factor: 3, order: Order::DepthFirst),
        changes!(PixelUnshuffle { factor: 2, order: Order::ChannelFirst } => factor: 3, order: Order::DepthFirst),
        changes!(FromPixels { width: 7, size: None, channels: rgb() } =>
            width: 8, size: Some([7, 7]), channels: Channels { count: 4, ..rgb() }),
        changes!(FromPixels { width: 7, size: Some([2, 3]), channels: rgb() } =>
            width: 6, size: Some([3, 2]), channels: Channels { swapped: true, ..rgb() }),
        changes!(ToPixels { pitch: 64, channels: rgb() } => pitch: 128, channels: Channels { last: true, ..rgb() }),
        changes!(ToPixels { pitch: 64, channels: rgb() } => pitch: 0, channels: pixels(Norm { scale: 1.0, ..norm })),
        changes!(ToPixels { pitch: 64, channels: rgb() } =>
            pitch: 63, channels: pixels(Norm { mean: [0.0, 0.0, 0.0, 0.1], ..norm })),
        changes!(ToPixels { pitch: 64, channels: rgb() } => pitch: 65, channels: pixels(Norm { std: [2.0; 4], ..norm })),
        changes!(max_pool() => window.kernel: [2, 3], window.stride: [2, 1], window.padding: [[0, 1], [0, 0]],
            window.dilation: [1, 2], ceil_mode: true, indices: Indices::Plane),
        changes!(avg_pool() => window.kernel: [3, 2], window.stride: [1, 2], window.padding: [[0, 0], [1, 0]],
            window.dilation: [2, 2], ceil_mode: true, count_include_pad: false, divisor_override: Some(0)),
        changes!(lp_pool() => window.kernel: [3, 3], window.stride: [2, 2], window.padding: [[1; 2]; 2],
            window.dilation: [2, 1], ceil_mode: true, p: 3, signed: true, rescale: true),
        changes!(Reduce { axes: vec![1], keep_dims: true, kind: ReduceKind::Sum } =>
            axes: vec![1, 1], keep_dims: false, kind: ReduceKind::SumSquare),
        changes!(ArgReduce { axis: 1, keep_dims: true, select_last: false, kind: Extreme::Max } =>
            axis: 0, keep_dims: false, select_last: true, kind: Extreme::Min),
        changes!(rnn(Cell::Rnn { f: Activation::Tanh }) => cell: Cell::Rnn { f: Activation::Relu }, direction: Direction::Both,
            clip: Some(0.0), batch_first: true),
        changes!(rnn(lstm(false, false)) => cell: lstm(true, false), direction: Direction::Reverse, clip: Some(1.0),
            batch_first: true),
        changes!(rnn(lstm(true, false)) => cell: lstm(true, true), direction: Direction::Reverse, clip: Some(2.0),
            batch_first: true),
        changes!(rnn(gru(true)) => cell: gru(false), direction: Direction::Reverse, clip: Some(2.0), batch_first: true),
        changes!(Reshape { shape: vec![2, 3] } => shape: vec![23]),
        changes!(Resize2d::new([5, 9], ResizeMode::Linear, Coordinates::HalfPixel) => size: [59, 0],
            mode: ResizeMode::Cubic(-0.75), coordinates: Coordinates::AlignCorners, scale: Some([1.0, 2.0]),
            exclude_outside: true, antialias: true),
        changes!(Resize2d::new([5, 9], ResizeMode::Nearest(Rounding::Floor), Coordinates::TorchNearest { small: true }) =>
            size: [9, 5], mode: ResizeMode::Nearest(Rounding::Ceil), coordinates: Coordinates::TorchNearest { small: false },
            scale: Some([0.0, 0.0]), exclude_outside: true, antialias: true),
        changes!(RoiAlign { output: [2, 3], spatial_scale: 1.0, sampling_ratio: 0, aligned: true, kind: PoolKind::Avg } =>
            output: [3, 2], spatial_scale: 0.5, sampling_ratio: 2, aligned: false, kind: PoolKind::Max),
        changes!(RoiPool { output: [2, 3], spatial_scale: 1.0 } => output: [3, 2], spatial_scale: 0.5),
        changes!(Sine { cosine: false } => cosine: true),
        changes!(Slice { starts: vec![0], steps: vec![1], sizes: vec![2] } =>
            starts: vec![1], steps: vec![-1], sizes: vec![3]),
        changes!(Softmax { axis: 1, log: false } => axis: 2, log: true),
        changes!(Split { axis: 1, sizes: vec![1, 2] } => axis: 0, sizes: vec![2, 1]),
        changes!(Tile { repeats: vec![1, 2] } => repeats: vec![2, 1]),
        trigonometry(Trigonometric::Asin, Trigonometric::Acos),
        changes!(TopK { axis: 1, k: 3, smallest: false } => axis: 0, k: 2, smallest: true),
        changes!(FmaChain { rounds: 1 } => rounds: 2),
        unary(Activation::Relu, Activation::Gelu),
        unary(Activation::Clamp { min: 0.0, max: 6.0 }, Activation::Clamp { min: 0.0, max: f32::INFINITY }),
        unary(Activation::Clamp { min: 0.0, max: f32::INFINITY }, Activation::Clamp { min: 0.0, max: f32::NAN }),
        unary(Activation::Elu { alpha: 1.0 }, Activation::Elu { alpha: 1.0 + f32::EPSILON }),
        unary(Activation::Elu { alpha: 1.0 }, Activation::Celu { alpha: 1.0 }),
        unary(Activation::Selu { alpha: 1.0, gamma: 2.0 }, Activation::Selu { alpha: 2.0, gamma: 1.0 }),
        unary(Activation::HardSigmoid { alpha: 0.2, beta: 0.5 }, Activation::HardSigmoid { alpha: 0.2, beta: 0.6 }),
    ]
}

fn unary(from: Activation, to: Activation) -> Changes {
    Changes { base: Box::new(Unary(from)), changed: vec![("function", Box::new(Unary(to)))] }
}

fn trigonometry(from: Trigonometric, to: Trigonometric) -> Changes {
    Changes { base: Box::new(Trigonometry(from)), changed: vec![("function", Box::new(Trigonometry(to)))] }
}

fn names(op: &dyn Op) -> Vec<&'static str> {
    op.attributes().expect("a built-in operator has attributes").iter().map(|(name, _)| name).collect()
}

#[test]
fn a_change_of_any_attribute_is_another_identity() {
    for Changes { base, changed } in all() {
        let changed_names: Vec<_> = changed.iter().map(|(name, _)| *name).collect();
        assert_eq!(names(&*base), changed_names, "{base:?}: every attribute is changed once");
        for (name, op) in &changed {
            assert_eq!(are_one_operator(&*base, &**op), Some(false), "{base:?}: {name} of {op:?}");
            assert_eq!(are_one_operator(&**op, &**op), Some(true), "{op:?}");
        }
    }
}

#[test]
fn every_operator_has_attributes_and_is_tested() {
    let type_of = |op: &dyn Op| (op as &dyn Any).type_id();
    let tested: BTreeSet<_> = all().iter().map(|c| type_of(&*c.base)).collect();
    for (name, graph) in graphs() {
        for node in graph.nodes() {
            let names = names(&*node.op);
            assert!(names.is_empty() || tested.contains(&type_of(&*node.op)), "{name}: {names:?} are not tested");
        }
    }
}

/// `y = max(x + c, 0)`.
fn sum(scope: &str, input: &str, output: &str, c: f32) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input(input, Desc::f32([2])).unwrap();
    let c = graph.constant(format!("{scope}c"), Tensor::from([1.0, c])).unwrap();
    let sum = graph.apply(format!("{scope}sum"), Binary(BinaryKind::Add), &[x, c]).unwrap();
    let y = graph.apply(format!("{scope}relu"), Unary(Activation::Relu), &[sum]).unwrap();
    graph.output(output, y);
    graph
}

#[test]
fn a_graph_is_what_it_computes_and_what_its_ends_are_called() {
    let base = sum("a.", "x", "y", 2.0);
    assert_eq!(are_one(&base, &sum("b.", "x", "y", 2.0)), Some(true));
    for other in [sum("a.", "x", "y", 3.0), sum("a.", "X", "y", 2.0), sum("a.", "x", "Y", 2.0)] {
        assert_eq!(are_one(&base, &other), Some(false));
    }
    let mut more = sum("a.", "x", "y", 2.0);
    let sum = more.nodes()[0].outputs[0];
    more.output("sum", sum);
    assert_eq!(are_one(&base, &more), Some(false));
}

/// An operator of a program; `attribute` is told only if `tells`.
#[derive(Clone, Debug)]
struct Own<const K: usize> {
    tells: bool,
    attribute: f32,
}

impl<const K: usize> Op for Own<K> {
    fn name(&self) -> &'static str {
        "own"
    }
    fn attributes(&self) -> Option<Attributes> {
        self.tells.then(|| Attributes::new().with("attribute", self.attribute))
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(inputs.to_vec())
    }
    fn bounds(&self, _: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(None)
    }
    fn launches(&self, _: &Site<'_>) -> Result<Vec<Variant>> {
        Ok(vec![])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

#[test]
fn operators_of_programs_have_an_identity_if_they_tell_their_attributes() {
    let own = |tells, attribute| Own::<0> { tells, attribute };
    assert_eq!(are_one_operator(&own(true, 1.0), &own(true, 1.0)), Some(true));
    assert_eq!(are_one_operator(&own(true, 1.0), &own(true, 2.0)), Some(false));
    assert_eq!(are_one_operator(&own(true, 1.0), &Own::<1> { tells: true, attribute: 1.0 }), Some(false));
    assert_eq!(are_one_operator(&own(false, 1.0), &own(false, 1.0)), None);
}

#[test]
fn attributes_read_as_text() {
    let conv = Conv2d { groups: 2, ..Conv2d::default() };
    let text = conv.attributes().unwrap().to_string();
    assert_eq!(text, "stride = [1, 1], padding = [[0, 0], [0, 0]], dilation = [1, 1], groups = 2");
    let clamp = Unary(Activation::Clamp { min: 0.0, max: 6.0 }).attributes().unwrap();
    assert_eq!(clamp.to_string(), "function = [Clamp, 0, 6]");
    let (name, value) = clamp.iter().next().unwrap();
    assert_eq!((name, matches!(value, AttributeValue::List(_))), ("function", true));
}

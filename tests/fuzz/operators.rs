//! Every operator with random attributes on random shapes: mostly plausible, sometimes absurd.

use convgpu::custom::{Layout, Op};
use convgpu::internals::attr::{
    Activation, BinaryKind, Coordinates, Extreme, PadMode, Pads, PoolKind, ReduceKind, ResizeMode, Rounding, Window,
};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::ops::Algorithm;
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::batch_norm::{BatchNorm, BatchNormTraining};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::cast::Cast;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::expand::Expand;
use convgpu::internals::ops::gather::Gather;
use convgpu::internals::ops::group_norm::GroupNorm;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::local_response_norm::LocalResponseNorm;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use convgpu::internals::ops::pad::Pad;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use convgpu::internals::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use convgpu::internals::ops::prelu::Prelu;
use convgpu::internals::ops::reduce::{ArgReduce, Reduce};
use convgpu::internals::ops::reshape::Reshape;
use convgpu::internals::ops::resize::Resize2d;
use convgpu::internals::ops::select::Where;
use convgpu::internals::ops::sine::Sine;
use convgpu::internals::ops::slice::Slice;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::split::Split;
use convgpu::internals::ops::tile::Tile;
use convgpu::internals::ops::top_k::TopK;
use convgpu::internals::ops::unary::Unary;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::evaluate_with_bounds;
use convgpu::internals::verify::{Comparison, Mismatch, Setup, alternatives, check_node};
use convgpu::{DType, Data, Desc, Device, ErrorKind, Graph, Precision, Tensor};

use super::mutate::{edge, pick};
use super::support::Rng;

/// The most elements of inputs and outputs, and the most work, of a case that is evaluated.
const ELEMENTS: usize = 1 << 14;
const FLOPS: u64 = 1 << 20;

/// Runs an operator's shape rule, plans it, and evaluates it if it is small; returns whether it could be planned.
pub fn survives(seed: u64) -> bool {
    let r = &mut Draws { rng: Rng(seed), wild: true };
    let Some(graph) = draw(r) else { return false };
    let _ = graph.to_string();
    let inputs: Vec<Desc> = graph.inputs().map(|(_, d)| d.clone()).collect();
    let layout = |d: &Desc| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
    let input_layouts: Vec<Layout> = inputs.iter().map(layout).collect();
    for (alternative, input_layouts) in [(None, input_layouts), (Some(1), vec![]), (Some(usize::MAX), vec![])] {
        let options = PlanOptions { alternative, guarded: true, input_layouts, ..Default::default() };
        let _ = Plan::new(&graph, &Caps::webgpu_default(), &options);
    }
    if is_small(&graph) {
        evaluate(r, &graph);
    }
    Plan::new(&graph, &Caps::webgpu_default(), &PlanOptions::default()).is_ok()
}

/// An operator with plausible attributes gives the same on the device and on the reference, with every variant and from
/// both layouts. Returns whether there was anything to compare.
pub fn agrees(seed: u64, device: &Device) -> bool {
    let r = &mut Draws { rng: Rng(seed), wild: false };
    let Some(graph) = draw(r).filter(is_small) else { return false };
    let node = &graph.nodes()[0];
    let inputs: Vec<Tensor> = graph.inputs().map(|(_, d)| r.values(d)).collect();
    // With f16 the variants of f32 are included.
    let half = device.adapter().is_some_and(|a| a.caps.f16);
    let precision = if half { Precision::F16 } else { Precision::F32 };
    let Ok(setups) = alternatives(device, &graph, 0, precision) else { return false };
    let last = inputs.iter().map(|t| if t.shape().len() < 2 { Layout::RowMajor } else { Layout::ChannelsLast });
    let last: Vec<Layout> = last.collect();
    for alternative in 0..setups {
        for layouts in [vec![], last.clone()] {
            let setup = Setup { alternative: Some(alternative), layouts, precision };
            let what =
                || format!("{:?} of {:?}, {setup:?}", node.op, inputs.iter().map(Tensor::desc).collect::<Vec<_>>());
            match pollster::block_on(check_node(device, &graph, 0, &inputs, &setup)) {
                Ok(c) => c.comparisons.iter().zip(&c.expected.outputs).for_each(|(x, y)| {
                    let right = x.ok() || (c.precision == Precision::F16 && only_overflows(x, y));
                    assert!(right, "{}, {}: {x}", what(), c.kernels);
                }),
                Err(e) => assert!(matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::Argument), "{}: {e}", what()),
            }
        }
    }
    true
}

/// Whether only results that f16 cannot represent are wrong, and those are infinite, as in `docs/design.md`.
fn only_overflows(x: &Comparison, expected: &Tensor) -> bool {
    const LARGEST: f64 = 65_504.0;
    let beyond = expected.to_f64s().iter().filter(|e| e.abs() > 0.99 * LARGEST).count();
    let overflows = |m: &Mismatch| {
        m.actual.is_infinite() && m.actual.signum() == m.expected.signum() && m.expected.abs() + m.bound > LARGEST
    };
    x.mismatch.is_none() && x.wrong <= beyond && x.first.iter().all(overflows)
}

/// A graph of one node; `None` if its shape rule refuses.
fn draw(r: &mut Draws) -> Option<Graph> {
    match r.rng.int(0, 34) {
        0 => {
            let (x, [_, icg, oc, groups], kernel) = r.convolution();
            let op = Conv2d { stride: r.pair(), padding: r.pads(), dilation: r.pair(), groups };
            convolution(r, op, x, [oc, icg, kernel[0], kernel[1]], oc)
        }
        1 => {
            let (x, [ic, _, oc, groups], kernel) = r.convolution();
            let (stride, padding, output_padding, dilation) = (r.pair(), r.pads(), r.pair(), r.pair());
            let op = ConvTranspose2d { stride, padding, output_padding, dilation, groups };
            convolution(r, op, x, [ic, oc / groups.max(1), kernel[0], kernel[1]], oc)
        }
        2 => {
            let indices = r.one(&[Indices::None, Indices::Plane, Indices::Tensor, Indices::TensorColumnMajor]);
            let (window, ceil_mode) = (r.window(), r.flag());
            unary(r, MaxPool2d { window, ceil_mode, indices })
        }
        3 => {
            let (window, ceil_mode) = (r.window(), r.flag());
            let divisor_override = r.flag().then(|| r.count());
            let count_include_pad = r.flag();
            let op = AvgPool2d { window, ceil_mode, count_include_pad, divisor_override };
            unary(r, op)
        }
        4 => {
            let (window, ceil_mode) = (r.window(), r.flag());
            let (p, signed, rescale) = (r.count() as u32, r.flag(), r.flag());
            unary(r, LpPool2d { window, ceil_mode, p, signed, rescale })
        }
        5 => {
            let kind = r.one(&[PoolKind::Avg, PoolKind::Max]);
            let output = r.pair();
            unary(r, AdaptivePool2d { output, kind })
        }
        6 => resize(r),
        7 => {
            let shape = r.shape(4);
            let mode = r.one(&[PadMode::Constant(1.0), PadMode::Reflect, PadMode::Replicate, PadMode::Circular]);
            let pads = r.list(&shape, |r, _| [r.signed(), r.signed()]);
            case(r, Pad { pads, mode }, &[&shape])
        }
        8 => {
            let (factor, order) = (r.count(), r.one(&[Order::ChannelFirst, Order::DepthFirst]));
            let shape = [r.count(), r.count().wrapping_mul(factor).wrapping_mul(factor), r.count(), r.count()];
            case(r, PixelShuffle { factor, order }, &[&shape])
        }
        9 => {
            let (factor, order) = (r.count(), r.one(&[Order::ChannelFirst, Order::DepthFirst]));
            let shape = [r.count(), r.count(), r.count().wrapping_mul(factor), r.count().wrapping_mul(factor)];
            case(r, PixelUnshuffle { factor, order }, &[&shape])
        }
        10 => {
            let (shape, axis) = r.shape_and_axis();
            let mut other = shape.clone();
            if let Some(extent) = other.get_mut(axis) {
                *extent = r.count();
            }
            case(r, Concat { axis }, &[&shape, &other])
        }
        11 => {
            let (mut shape, axis) = r.shape_and_axis();
            let sizes = r.list(&[0; 3], |r, _| r.count());
            if let Some(extent) = shape.get_mut(axis) {
                *extent = sizes.iter().fold(0, |a, &b| a.wrapping_add(b));
            }
            case(r, Split { axis, sizes }, &[&shape])
        }
        12 => {
            let shape = r.shape(7);
            let order = r.order(shape.len());
            case(r, Permute { order }, &[&shape])
        }
        13 => {
            let shape = r.shape(7);
            let repeats = r.list(&shape, |r, _| r.count());
            case(r, Tile { repeats }, &[&shape])
        }
        14 => {
            let shape = r.shape(7);
            let starts =
                r.list(&shape, |r, n| if n > 0 && r.flag() { r.rng.int(0, n.min(9) - 1) as i64 } else { r.signed() });
            let steps = r.list(&shape, |r, _| r.signed());
            let sizes = r.list(&shape, |r, n| if r.flag() { 1.min(n) } else { r.count() });
            case(r, Slice { starts, steps, sizes }, &[&shape])
        }
        15 => {
            let (shape, axis) = r.shape_and_axis();
            let indices = r.shape(2);
            let descs = vec![r.desc(&shape), Desc::new(indices, r.one(&[DType::I64, DType::I32]))];
            case_of(Gather { axis }, descs)
        }
        16 => {
            let shape = r.shape(7);
            let wanted = r.list(&shape, |r, n| if n == 1 { r.count() } else { n });
            case(r, Expand { shape: wanted }, &[&shape])
        }
        17 => {
            let mut shape = r.shape(7);
            let wanted = if r.flag() { vec![shape.iter().fold(1usize, |a, &b| a.wrapping_mul(b))] } else { r.shape(7) };
            shape.reverse();
            case(r, Reshape { shape: wanted }, &[&shape])
        }
        18 => {
            let (shape, axis) = r.shape_and_axis();
            let log = r.flag();
            case(r, Softmax { axis, log }, &[&shape])
        }
        19 => {
            let kinds = [
                ReduceKind::Sum,
                ReduceKind::Mean,
                ReduceKind::Max,
                ReduceKind::Min,
                ReduceKind::Prod,
                ReduceKind::L1,
                ReduceKind::L2,
                ReduceKind::LogSum,
            ];
            let more = [ReduceKind::LogSumExp, ReduceKind::SumSquare];
            let kind = if r.flag() { r.one(&kinds) } else { r.one(&more) };
            let shape = r.shape(7);
            let (axes, keep_dims) = (r.some_axes(shape.len()), r.flag());
            let dtype = r.dtype();
            case_of(Reduce { axes, keep_dims, kind }, vec![Desc::new(shape, dtype)])
        }
        20 => {
            let (shape, axis) = r.shape_and_axis();
            let (keep_dims, select_last, kind) = (r.flag(), r.flag(), r.one(&[Extreme::Max, Extreme::Min]));
            case(r, ArgReduce { axis, keep_dims, select_last, kind }, &[&shape])
        }
        21 => {
            let (shape, axis) = r.shape_and_axis();
            let p = r.count();
            case(r, LpNormalize { axis, p }, &[&shape])
        }
        22 => {
            let shape = r.shape(7);
            let (axes, eps) = (r.some_axes(shape.len()), r.number());
            case(r, MeanVarianceNormalize { axes, eps }, &[&shape])
        }
        23 => {
            let shape = r.image();
            let c = shape[1];
            let eps = r.number();
            case(r, BatchNorm { eps }, &[&shape, &[c], &[c], &[c], &[c]])
        }
        24 => {
            let shape = r.image();
            let c = shape[1];
            let (eps, momentum, unbiased) = (r.number(), r.number(), r.flag());
            case(r, BatchNormTraining { eps, momentum, unbiased }, &[&shape, &[c], &[c], &[c], &[c]])
        }
        25 => {
            let shape = r.image();
            let c = shape[1];
            let (groups, eps) = (r.count(), r.number());
            let all: [&[usize]; 3] = [&shape, &[c], &[c]];
            let given = if r.flag() { 3 } else { 1 };
            case(r, GroupNorm { groups, eps }, &all[..given])
        }
        26 => {
            let shape = r.shape(7);
            let (axes, eps, stats) = (r.count(), r.number(), r.flag());
            let last = shape[shape.len().saturating_sub(axes)..].to_vec();
            if r.flag() {
                case(r, LayerNorm { axes, eps, stats }, &[&shape, &last, &last])
            } else {
                case(r, LayerNorm { axes, eps, stats }, &[&shape])
            }
        }
        27 => {
            let (size, before) = (r.count(), r.count());
            let (alpha, beta, k) = (r.number(), r.number(), r.number());
            unary(r, LocalResponseNorm { size, before, alpha, beta, k })
        }
        28 => {
            let (batch, [m, k], n) = (r.shape(3), r.pair(), r.count());
            let (a, b) = ([&batch[..], &[m, k]].concat(), [&batch[..], &[k, n]].concat());
            case(r, MatMul, &[&a, &b])
        }
        29 => {
            let shape = r.shape(4);
            let slope = vec![shape.get(1).copied().unwrap_or(1)];
            case(r, Prelu, &[&shape, &slope])
        }
        30 => {
            let kinds = [BinaryKind::Add, BinaryKind::Div, BinaryKind::Pow, BinaryKind::Mod, BinaryKind::Fmod];
            let more = [BinaryKind::Maximum, BinaryKind::Less, BinaryKind::And, BinaryKind::Mul, BinaryKind::Equal];
            let kind = if r.flag() { r.one(&kinds) } else { r.one(&more) };
            let (a, b) = r.broadcast();
            let dtype = r.dtype();
            case_of(Binary(kind), vec![Desc::new(a, dtype), Desc::new(b, dtype)])
        }
        31 => {
            let (a, b) = r.broadcast();
            let mask = if r.flag() { a.clone() } else { b.clone() };
            let dtype = r.dtype();
            case_of(Where, vec![Desc::new(mask, DType::Bool), Desc::new(a, dtype), Desc::new(b, dtype)])
        }
        33 => {
            let (shape, axis) = r.shape_and_axis();
            let (k, smallest) = (r.count(), r.flag());
            case(r, TopK { axis, k, smallest }, &[&shape])
        }
        34 => {
            let cosine = r.flag();
            unary(r, Sine { cosine })
        }
        _ if r.flag() => {
            let to = r.dtype();
            let desc = vec![r.any_desc(7)];
            case_of(Cast { to }, desc)
        }
        _ => {
            let (a, b) = (r.number(), r.number());
            let some =
                [Activation::Clamp { min: a, max: b }, Activation::Elu { alpha: a }, Activation::Celu { alpha: a }];
            let more =
                [Activation::Softplus { beta: a, threshold: b }, Activation::Mish, Activation::Swish { beta: a }];
            let op = Unary(if r.flag() { r.one(&some) } else { r.one(&more) });
            let desc = vec![r.any_desc(7)];
            case_of(op, desc)
        }
    }
}

fn convolution(r: &mut Draws, op: impl Op + 'static, x: [usize; 4], w: [usize; 4], oc: usize) -> Option<Graph> {
    if r.flag() { case(r, op, &[&x, &w, &[oc]]) } else { case(r, op, &[&x, &w]) }
}

fn resize(r: &mut Draws) -> Option<Graph> {
    let roi = [r.number(), r.number(), r.number(), r.number()];
    let places = [
        Coordinates::HalfPixel,
        Coordinates::HalfPixelSymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::Asymmetric,
        Coordinates::AlignCorners,
        Coordinates::TfHalfPixelForNn,
        Coordinates::TorchHalfPixel,
        Coordinates::TorchAlignCorners,
        Coordinates::TfCropAndResize { roi, extrapolation_value: roi[0] },
        Coordinates::TorchNearest { small: false },
        Coordinates::TorchNearest { small: true },
        Coordinates::TorchNearestExact,
    ];
    let modes = [
        ResizeMode::Nearest(Rounding::RoundPreferFloor),
        ResizeMode::Nearest(Rounding::RoundPreferCeil),
        ResizeMode::Nearest(Rounding::Floor),
        ResizeMode::Nearest(Rounding::Ceil),
        ResizeMode::Nearest(Rounding::CeilWhenShrinking),
        ResizeMode::Linear,
        ResizeMode::Cubic(-0.75),
    ];
    let op = Resize2d {
        size: r.pair(),
        mode: r.one(&modes),
        coordinates: r.one(&places),
        scale: r.flag().then(|| [r.number().into(), r.number().into()]),
        exclude_outside: r.flag(),
        antialias: r.flag(),
    };
    unary(r, op)
}

/// An operator of one image.
fn unary(r: &mut Draws, op: impl Op + 'static) -> Option<Graph> {
    let shape = r.image();
    case(r, op, &[&shape])
}

/// An operator of floats, mostly.
fn case(r: &mut Draws, op: impl Op + 'static, shapes: &[&[usize]]) -> Option<Graph> {
    let mut descs: Vec<Desc> = shapes.iter().map(|s| r.desc(s)).collect();
    if r.rng.int(0, 15) == 0 && !descs.is_empty() {
        let k = r.rng.int(0, descs.len() - 1);
        descs[k] = r.any_desc(7);
    }
    if r.rng.int(0, 31) == 0 {
        descs.pop();
    }
    case_of(op, descs)
}

fn case_of(op: impl Op + 'static, descs: Vec<Desc>) -> Option<Graph> {
    let mut graph = Graph::new();
    let mut ids = vec![];
    for (k, desc) in descs.into_iter().enumerate() {
        ids.push(graph.input(k.to_string(), desc).ok()?);
    }
    for (k, id) in graph.add("node", op, &ids).ok()?.into_iter().enumerate() {
        graph.output(k.to_string(), id);
    }
    Some(graph)
}

fn is_small(graph: &Graph) -> bool {
    let all = graph.inputs().chain(graph.outputs()).map(|(_, d)| d.numel());
    all.max() <= Some(ELEMENTS) && graph.flops() <= FLOPS
}

fn evaluate(r: &mut Draws, graph: &Graph) {
    let node = &graph.nodes()[0];
    let inputs: Vec<Tensor> = graph.inputs().map(|(_, d)| r.values(d)).collect();
    let Ok((outputs, bounds)) = evaluate_with_bounds(node, &inputs, Algorithm::Direct) else { return };
    let described: Vec<Desc> = graph.outputs().map(|(_, d)| d.clone()).collect();
    assert_eq!(outputs.iter().map(Tensor::desc).collect::<Vec<_>>(), described, "{:?} of {inputs:?}", node.op);
    let counts: Vec<_> = outputs.iter().map(Tensor::numel).collect();
    let bounds = bounds.expect("operators of the crate know their bounds");
    assert_eq!(bounds.iter().map(Vec::len).collect::<Vec<_>>(), counts, "{:?} of {inputs:?}", node.op);
}

/// Random attributes and shapes.
struct Draws {
    rng: Rng,
    /// Whether attributes are sometimes absurd.
    wild: bool,
}

impl Draws {
    fn flag(&mut self) -> bool {
        self.rng.int(0, 1) == 0
    }
    fn one<T: Clone>(&mut self, list: &[T]) -> T {
        pick(&mut self.rng, list).expect("not empty").clone()
    }
    /// 1 to 5, rarely 0 or an edge case.
    fn count(&mut self) -> usize {
        match self.rng.int(0, 40) {
            0 if self.wild => edge(&mut self.rng) as usize,
            1 => 0,
            2 => self.rng.int(6, 300),
            _ => self.rng.int(1, 5),
        }
    }
    fn signed(&mut self) -> i64 {
        if self.wild && self.rng.int(0, 15) == 0 { edge(&mut self.rng) } else { self.rng.int(0, 6) as i64 - 3 }
    }
    fn number(&mut self) -> f32 {
        match self.wild {
            true => self.one(&[0.0, 1e-5, 0.5, 1.0, -1.0, 3.5, f32::MAX, f32::INFINITY, f32::NAN]),
            false => self.one(&[1e-5, 0.25, 0.5, 1.0, 2.0, 3.5]),
        }
    }
    fn dtype(&mut self) -> DType {
        use DType::*;
        self.one(&[F32, F32, F32, I64, I64, I32, I32, Bool, F64, I8, U8, I16, U16, U32])
    }
    fn pair(&mut self) -> [usize; 2] {
        [self.count(), self.count()]
    }
    fn pads(&mut self) -> Pads {
        [[(); 2]; 2].map(|axis| axis.map(|()| self.count().saturating_sub(1)))
    }
    fn window(&mut self) -> Window {
        Window { kernel: self.pair(), stride: self.pair(), padding: self.pads(), dilation: self.pair() }
    }
    /// An image large enough for most windows.
    fn image(&mut self) -> [usize; 4] {
        let side = |r: &mut Draws| if r.rng.int(0, 3) == 0 { r.count() } else { r.rng.int(6, 24) };
        [self.count(), self.count(), side(self), side(self)]
    }
    /// An image, its channels, those of a group, the output's and the groups, and a kernel.
    fn convolution(&mut self) -> ([usize; 4], [usize; 4], [usize; 2]) {
        let groups = if self.flag() { 1 } else { self.count() };
        let (icg, ocg) = (self.count(), if self.flag() { self.count() } else { self.count().wrapping_mul(4) });
        let [ic, oc] = [icg, ocg].map(|n| n.wrapping_mul(groups));
        let [n, _, h, w] = self.image();
        ([n, ic, h, w], [ic, icg, oc, groups], self.pair())
    }
    fn shape(&mut self, most: usize) -> Vec<usize> {
        (0..self.rng.int(0, most)).map(|_| self.count()).collect()
    }
    /// A shape and one of its axes, rarely another number.
    fn shape_and_axis(&mut self) -> (Vec<usize>, usize) {
        let shape = self.shape(6);
        let axis = if self.rng.int(0, 15) == 0 { self.count() } else { self.rng.int(0, shape.len().max(1) - 1) };
        (shape, axis)
    }
    fn some_axes(&mut self, rank: usize) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..rank).filter(|_| self.flag()).collect();
        if self.rng.int(0, 15) == 0 {
            axes.push(self.count());
        }
        axes
    }
    fn order(&mut self, rank: usize) -> Vec<usize> {
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
    fn list<T>(&mut self, shape: &[usize], entry: impl Fn(&mut Draws, usize) -> T) -> Vec<T> {
        let mut out: Vec<T> = shape.iter().map(|&n| entry(self, n)).collect();
        if self.rng.int(0, 31) == 0 {
            out.push(entry(self, 1));
        }
        out
    }
    /// Two shapes that mostly broadcast.
    fn broadcast(&mut self) -> (Vec<usize>, Vec<usize>) {
        let a = self.shape(7);
        let from = self.rng.int(0, a.len());
        let b = a[from..].iter().map(|&n| if self.rng.int(0, 2) == 0 { 1 } else { n }).collect();
        if self.flag() { (a, b) } else { (b, a) }
    }
    fn desc(&mut self, shape: &[usize]) -> Desc {
        let dtype = if self.rng.int(0, 20) == 0 { self.dtype() } else { DType::F32 };
        Desc::new(shape, dtype)
    }
    fn any_desc(&mut self, most: usize) -> Desc {
        let shape = self.shape(most);
        Desc::new(shape, self.dtype())
    }
    fn values(&mut self, desc: &Desc) -> Tensor {
        let n = desc.numel();
        let data: Data = match desc.dtype {
            DType::F32 if self.rng.int(0, 7) == 0 => (0..n).map(|_| self.number()).collect::<Vec<_>>().into(),
            dtype if dtype.is_float() => (0..n).map(|_| self.rng.float()).collect::<Vec<_>>().into(),
            DType::Bool => (0..n).map(|_| self.flag()).collect::<Vec<_>>().into(),
            _ => (0..n).map(|_| self.signed()).collect::<Vec<_>>().into(),
        };
        Tensor::new(desc.shape.clone(), data).expect("counted").to_dtype(desc.dtype)
    }
}

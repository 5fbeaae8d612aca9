//! One small graph for every kernel, and all its plans: what the tests of every kernel's text go through.

use std::time::Duration;

use convgpu::custom::{Layout, Op};
use convgpu::internals::attr::{
    Activation, BinaryKind, Cell, Coordinates, Direction, Extreme, GridSampleMode, GridSamplePadding, PadMode,
    PoolKind, ReduceKind, ResizeMode, Rounding, Trigonometric, Window,
};
use convgpu::internals::bench::{Copy, FmaChain};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::graph::{Graph, ValueId};
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::batch_norm::{BatchNorm, BatchNormTraining};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::bytes::FromBytes;
use convgpu::internals::ops::cast::Cast;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::deform_columns::DeformColumns;
use convgpu::internals::ops::det::Det;
use convgpu::internals::ops::fold::Fold;
use convgpu::internals::ops::gather::Gather;
use convgpu::internals::ops::grid_sample::GridSample;
use convgpu::internals::ops::group_norm::GroupNorm;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::local_response_norm::LocalResponseNorm;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::max_unpool::MaxUnpool;
use convgpu::internals::ops::normalize::LpNormalize;
use convgpu::internals::ops::pad::Pad;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use convgpu::internals::ops::pixels::{Channels, FromPixels, Norm, ToPixels};
use convgpu::internals::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use convgpu::internals::ops::prelu::Prelu;
use convgpu::internals::ops::recurrent::Recurrent;
use convgpu::internals::ops::reduce::{ArgReduce, Reduce};
use convgpu::internals::ops::resize::Resize2d;
use convgpu::internals::ops::roi_align::RoiAlign;
use convgpu::internals::ops::roi_pool::RoiPool;
use convgpu::internals::ops::select::Where;
use convgpu::internals::ops::sine::Sine;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::split::Split;
use convgpu::internals::ops::tile::Tile;
use convgpu::internals::ops::top_k::TopK;
use convgpu::internals::ops::trigonometry::Trigonometry;
use convgpu::internals::ops::unary::Unary;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::{DType, Desc, Precision};

fn node(op: impl Op + 'static, shapes: &[&[usize]]) -> (String, Graph) {
    node_of(op, shapes.iter().map(|s| Desc::f32(s.to_vec())).collect())
}

fn node_of(op: impl Op + 'static, inputs: Vec<Desc>) -> (String, Graph) {
    let mut graph = Graph::new();
    let input = |(k, desc)| graph.input(usize::to_string(&k), desc).unwrap();
    let ids: Vec<ValueId> = inputs.into_iter().enumerate().map(input).collect();
    let name = op.name().to_owned();
    for (k, id) in graph.add(name.clone(), op, &ids).unwrap().into_iter().enumerate() {
        graph.output(k.to_string(), id);
    }
    (name, graph)
}

fn window() -> Window {
    Window { kernel: [3, 2], stride: [2, 1], padding: [[1, 0], [0, 1]], dilation: [1, 2] }
}

fn max_pool(indices: Indices) -> MaxPool2d {
    MaxPool2d { window: window(), ceil_mode: true, indices }
}

fn avg_pool() -> AvgPool2d {
    AvgPool2d { window: window(), ceil_mode: true, count_include_pad: true, divisor_override: None }
}

fn rgb() -> Channels {
    let norm = Norm { scale: 1.0 / 255.0, mean: [0.0; 4], std: [1.0; 4] };
    Channels { count: 3, swapped: false, last: false, norm }
}

fn lp_pool() -> LpPool2d {
    LpPool2d { window: window(), ceil_mode: true, p: 3, signed: true, rescale: true }
}

fn arg_reduce() -> ArgReduce {
    ArgReduce { axis: 1, keep_dims: true, select_last: false, kind: Extreme::Max }
}

fn grid_sample(mode: GridSampleMode, padding_mode: GridSamplePadding) -> GridSample {
    GridSample { mode, padding_mode, align_corners: false }
}

/// With peepholes and lengths.
fn lstm() -> (String, Graph) {
    let (f, g) = (Activation::Sigmoid, Activation::Tanh);
    let cell = Cell::Lstm { f, g, h: g, peepholes: true, coupled: false };
    let op = Recurrent { cell, direction: Direction::Both, clip: Some(3.0), batch_first: false };
    let shapes: [&[usize]; 5] = [&[3, 2, 40], &[2, 20, 5], &[2, 2, 5], &[2, 2, 5], &[2, 15]];
    let lengths = Desc::new([2], DType::I32);
    node_of(op, shapes.iter().map(|shape| Desc::f32(shape.to_vec())).chain([lengths]).collect())
}

fn roi_align(kind: PoolKind, sampling_ratio: usize) -> RoiAlign {
    RoiAlign { output: [3, 2], spatial_scale: 0.5, sampling_ratio, aligned: true, kind }
}

/// Values, and their indices.
fn unpooled() -> Vec<Desc> {
    vec![Desc::f32([2, 5, 2, 3]), Desc::new([2, 5, 2, 3], DType::I64)]
}

/// Images, boxes, and the image of each.
fn regions() -> Vec<Desc> {
    vec![Desc::f32([3, 5, 7, 6]), Desc::f32([3, 4]), Desc::new([3], DType::I64)]
}

fn gru(reset_after: bool) -> Recurrent {
    let cell = Cell::Gru { f: Activation::Sigmoid, g: Activation::Tanh, reset_after };
    Recurrent { cell, direction: Direction::Both, clip: None, batch_first: false }
}

fn rnn() -> Recurrent {
    let cell = Cell::Rnn { f: Activation::Relu };
    Recurrent { cell, direction: Direction::Reverse, clip: None, batch_first: true }
}

/// A node that stores f16 before one that does not.
fn in_f16_and_back() -> (String, Graph) {
    let (name, mut graph) = node(Conv2d::default(), &[&[2, 5, 7, 6], &[9, 5, 3, 2]]);
    let y = graph.nodes()[0].outputs[0];
    graph.apply("after", Unary(Activation::Relu), &[y]).unwrap();
    (name, graph)
}

/// Visits the plans of all graphs and layers: every variant, in every precision and for inputs of both layouts, on every class of
/// device, whose name comes first; and one whose dispatches are split.
pub fn plans(visit: &mut dyn FnMut(&'static str, &Plan)) {
    graphs().iter().chain(&layers()).for_each(|(name, graph)| plans_of(name, graph, visit));
}

fn plans_of(name: &str, graph: &Graph, visit: &mut dyn FnMut(&'static str, &Plan)) {
    let layout = |d: &Desc| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
    let last: Vec<_> = graph.inputs().map(|(_, d)| layout(d)).collect();
    for (class, caps) in classes() {
        let split = PlanOptions { submit_limit: Some(Duration::ZERO), ..Default::default() };
        visit(class, &Plan::new(graph, &caps, &split).unwrap_or_else(|e| panic!("{name}: {e}")));
        for (alternative, precision) in variants(&caps) {
            for input_layouts in [vec![], last.clone()] {
                let alternative = Some(alternative);
                let options = PlanOptions { alternative, input_layouts, precision, ..Default::default() };
                visit(class, &Plan::new(graph, &caps, &options).unwrap_or_else(|e| panic!("{name}: {e}")));
            }
        }
    }
}

/// A class of hardware whose kernels share no memory.
pub const WITHOUT_WORKGROUP_MEMORY: &str = "hardware without workgroup memory";

/// Names and capabilities of every class of device that the choice of kernels distinguishes.
pub fn classes() -> Vec<(&'static str, Caps)> {
    let class = |subgroup_size: Option<u32>, f16: bool, software: bool| {
        let mut caps = Caps::webgpu_default();
        (caps.subgroup_size, caps.f16, caps.software) = (subgroup_size, f16, software);
        caps
    };
    let mut lavapipe = class(Some(8), true, true);
    lavapipe.max_workgroup_bytes = 32 << 10;
    let mut alone = class(None, true, false);
    alone.max_workgroup_bytes = 0;
    vec![
        ("hardware", class(None, false, false)),
        (WITHOUT_WORKGROUP_MEMORY, alone),
        ("hardware with f16", class(Some(32), true, false)),
        ("lavapipe", lavapipe),
        ("software", class(Some(4), false, true)),
    ]
}

/// More variants than any operator has, in every precision of a device.
fn variants(caps: &Caps) -> Vec<(usize, Precision)> {
    let wide = (0..16).map(|k| (k, Precision::F32));
    let half = (0..32).map(|k| (k, Precision::F16)).filter(|_| caps.f16);
    wide.chain(half).collect()
}

/// Names and graphs.
pub fn graphs() -> Vec<(String, Graph)> {
    vec![
        node(Conv2d::default(), &[&[2, 5, 7, 6], &[9, 5, 3, 2], &[9]]),
        node(Conv2d { groups: 8, ..Conv2d::default() }, &[&[2, 8, 7, 6], &[8, 1, 3, 2]]),
        node(Conv2d { groups: 2, ..Conv2d::default() }, &[&[2, 8, 7, 6], &[8, 4, 3, 2]]),
        node(Conv2d::default(), &[&[2, 5, 7, 6], &[19, 5, 3, 2]]),
        node(Conv2d::default(), &[&[2, 5, 7, 6], &[19, 5, 3, 3]]),
        node(Conv2d::default(), &[&[1, 260, 5, 4], &[9, 260, 3, 2]]),
        node(Conv2d::default(), &[&[1, 5, 3, 1], &[9, 5, 1, 1]]),
        node(Conv2d::default(), &[&[2, 8, 3, 4], &[9, 8, 1, 1]]),
        node(max_pool(Indices::None), &[&[2, 5, 7, 6]]),
        node(max_pool(Indices::Plane), &[&[2, 5, 7, 6]]),
        node_of(MaxUnpool { shape: vec![2, 5, 9], planes: 10 }, unpooled()),
        node(Fold { window: Window::new([3, 2]), size: [6, 8] }, &[&[2, 12, 8]]),
        node(DeformColumns { window: Window::new([3, 2]), groups: 1 }, &[&[2, 5, 7, 6], &[2, 12, 2, 3]]),
        node(
            DeformColumns { window: Window::new([3, 2]), groups: 5 },
            &[&[2, 5, 7, 6], &[2, 60, 2, 3], &[2, 30, 2, 3]],
        ),
        node(Det, &[&[2, 3, 5, 5]]),
        node(avg_pool(), &[&[2, 5, 7, 6]]),
        node(lp_pool(), &[&[2, 5, 7, 6]]),
        node(AdaptivePool2d { output: [1, 1], kind: PoolKind::Avg }, &[&[2, 5, 17, 6]]),
        node(AdaptivePool2d { output: [5, 4], kind: PoolKind::Max }, &[&[2, 5, 7, 6]]),
        node(PixelShuffle { factor: 2, order: Order::ChannelFirst }, &[&[2, 12, 7, 6]]),
        node(PixelUnshuffle { factor: 2, order: Order::DepthFirst }, &[&[2, 5, 8, 6]]),
        node(Pad { pads: vec![[0, 0], [0, 0], [1, 2], [-1, 0]], mode: PadMode::Reflect }, &[&[2, 5, 7, 6]]),
        node(Resize2d::new([5, 9], ResizeMode::Linear, Coordinates::HalfPixel), &[&[2, 5, 7, 6]]),
        node(Resize2d::new([14, 16], ResizeMode::Nearest(Rounding::Floor), Coordinates::Asymmetric), &[&[2, 5, 7, 8]]),
        node(grid_sample(GridSampleMode::Bilinear, GridSamplePadding::Reflection), &[&[2, 5, 7, 6], &[2, 3, 4, 2]]),
        node(grid_sample(GridSampleMode::Bicubic, GridSamplePadding::Zeros), &[&[2, 5, 7, 6], &[2, 3, 4, 2]]),
        node(grid_sample(GridSampleMode::Nearest, GridSamplePadding::Border), &[&[2, 5, 2, 7, 6], &[2, 1, 3, 4, 3]]),
        node_of(roi_align(PoolKind::Avg, 0), regions()),
        node_of(roi_align(PoolKind::Max, 2), regions()),
        node_of(RoiPool { output: [3, 2], spatial_scale: 0.5 }, regions()),
        node_of(FromBytes { desc: Desc::new([3, 5], DType::I8) }, vec![Desc::new([4], DType::U32)]),
        node_of(FromPixels { width: 7, size: Some([3, 4]), channels: rgb() }, vec![Desc::new([5, 64], DType::U32)]),
        node(ToPixels { pitch: 64, channels: rgb() }, &[&[1, 3, 5, 7]]),
        node(Unary(Activation::Gelu), &[&[3, 5]]),
        node(Binary(BinaryKind::Add), &[&[2, 5, 7, 6], &[5, 1, 1]]),
        node(Binary(BinaryKind::Mul), &[&[2, 5, 7, 6], &[2, 5, 1, 1]]),
        node(Binary(BinaryKind::Pow), &[&[3, 1, 5], &[2, 1]]),
        node(Prelu, &[&[2, 5, 7, 6], &[5]]),
        node_of(Where, vec![Desc::new([3, 1], DType::Bool), Desc::f32([5]), Desc::f32([])]),
        node(Cast { to: DType::I64 }, &[&[3, 5]]),
        node(Concat { axis: 1 }, &[&[2, 4, 3, 5], &[2, 5, 3, 5]]),
        node(Split { axis: 1, sizes: vec![3, 4] }, &[&[2, 7, 3, 5]]),
        node(Permute { order: vec![0, 2, 3, 1] }, &[&[2, 5, 7, 6]]),
        node(Tile { repeats: vec![2, 3] }, &[&[3, 5]]),
        node_of(Gather { axis: 1 }, vec![Desc::f32([3, 5, 2]), Desc::new([2, 4], DType::I64)]),
        node(MatMul, &[&[2, 5, 7], &[2, 7, 9]]),
        node(MatMul, &[&[3, 500], &[500, 9]]),
        node_of(MatMul, vec![Desc::new([2, 5, 7], DType::U16), Desc::new([7, 9], DType::U16)]),
        node(ConvTranspose2d::default(), &[&[2, 5, 7, 6], &[5, 9, 3, 2], &[9]]),
        node(BatchNorm { eps: 1e-5 }, &[&[2, 5, 7, 6], &[5], &[5], &[5], &[5]]),
        node(BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased: true }, &[&[2, 5, 7, 6], &[5], &[5], &[5], &[5]]),
        node(GroupNorm { groups: 5, eps: 1e-5 }, &[&[2, 5, 7, 6]]),
        node(LayerNorm { axes: 2, eps: 1e-5, stats: true }, &[&[2, 5, 7, 600]]),
        node(LocalResponseNorm { size: 3, before: 1, alpha: 1e-4, beta: 0.75, k: 1.0 }, &[&[2, 5, 7, 6]]),
        node(Softmax { axis: 1, log: false }, &[&[2, 5, 7, 6]]),
        node(Softmax { axis: 1, log: true }, &[&[2, 500]]),
        node(Softmax { axis: 1, log: true }, &[&[20, 36]]),
        lstm(),
        node(gru(true), &[&[3, 2, 30], &[2, 15, 5], &[2, 2, 5], &[2, 5]]),
        node(gru(false), &[&[3, 2, 30], &[2, 15, 5], &[2, 2, 5]]),
        node(rnn(), &[&[2, 3, 40], &[1, 40, 40], &[1, 2, 40]]),
        node(Reduce { axes: vec![1], keep_dims: true, kind: ReduceKind::Sum }, &[&[2, 5, 7]]),
        node(Reduce { axes: vec![1, 2], keep_dims: true, kind: ReduceKind::L2 }, &[&[2, 50, 70]]),
        node(TopK { axis: 1, k: 3, smallest: false }, &[&[2, 5, 7]]),
        node(Sine { cosine: false }, &[&[2, 5, 7]]),
        node(Trigonometry(Trigonometric::Acosh), &[&[2, 5, 7]]),
        node(LpNormalize { axis: 1, p: 2 }, &[&[2, 5, 7]]),
        node(arg_reduce(), &[&[2, 5, 7]]),
        node(arg_reduce(), &[&[2, 5000]]),
        node(FmaChain { rounds: 2 }, &[&[3, 4]]),
        node(Copy, &[&[3, 4]]),
        in_f16_and_back(),
    ]
}

/// Convolutions and products with enough work for every tile.
fn layers() -> Vec<(String, Graph)> {
    vec![
        node(Conv2d::default(), &[&[1, 64, 56, 56], &[256, 64, 1, 1], &[256]]),
        node(Conv2d::default(), &[&[1, 64, 56, 56], &[256, 64, 3, 3], &[256]]),
        node(Conv2d::default(), &[&[1, 1024, 14, 14], &[256, 1024, 1, 1], &[256]]),
        node(Conv2d::default(), &[&[1, 2048, 1, 1], &[1000, 2048, 1, 1], &[1000]]),
        node(Conv2d::default(), &[&[4, 2048, 1, 1], &[1000, 2048, 1, 1], &[1000]]),
        node(MatMul, &[&[512, 512], &[512, 512]]),
        node(MatMul, &[&[2, 259, 131], &[131, 517]]),
        node(MatMul, &[&[40, 1030], &[1030, 600]]),
        node(MatMul, &[&[600, 1030], &[1030, 40]]),
    ]
}

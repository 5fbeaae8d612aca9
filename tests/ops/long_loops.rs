//! Loops near the device's limit of iterations (`Caps::max_iterations`): below and above it every variant is right, and
//! if there is none the error says so. Memory is prefilled with NaNs, which detect results that a loop that was stopped
//! too early did not write.

use convgpu::custom::Op;
use convgpu::internals::attr::{Coordinates, Extreme, PoolKind, ReduceKind, ResizeMode, Window};
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::local_response_norm::LocalResponseNorm;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::normalize::LpNormalize;
use convgpu::internals::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use convgpu::internals::ops::reduce::{ArgReduce, Reduce};
use convgpu::internals::ops::resize::Resize2d;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::top_k::TopK;
use convgpu::internals::verify::alternatives;
use convgpu::{Desc, ErrorKind, Precision, Tensor};

use crate::support::{Rng, check, device, kernels};

fn limit() -> Option<u64> {
    device().adapter().and_then(|a| a.caps.max_iterations)
}

/// Every variant is exact: integers.
fn exact(op: impl Op + Clone + 'static, shapes: &[&[usize]]) {
    let mut rng = Rng(65_535);
    let inputs: Vec<_> = shapes.iter().map(|s| rng.integers(s)).collect();
    check(op, &inputs, true);
}

/// Ones, so that a sum is the number of its terms; also in f16, if it is at most 2^16.
fn counted(op: impl Op + Clone + 'static, shape: &[usize]) {
    let n = shape.iter().product();
    check(op, &[Tensor::new(shape, vec![1.0f32; n]).unwrap()], true);
}

/// Small values, and a large one at the end that changes every result.
fn last_counts(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    let mut data: Vec<f32> = (0..n).map(|i| (i % 7) as f32 * 0.125).collect();
    data[n - 1] = 40.0;
    Tensor::new(shape, data).unwrap()
}

/// A device with a limit refuses the operator, any other has a variant.
fn refused(op: impl Op + Clone + 'static, shapes: &[&[usize]]) {
    let mut graph = Graph::new();
    let input = |(k, s): (usize, &&[usize])| graph.input(k.to_string(), Desc::f32(s.to_vec())).unwrap();
    let ids: Vec<_> = shapes.iter().enumerate().map(input).collect();
    graph.add("the node", op.clone(), &ids).unwrap();
    match (alternatives(device(), &graph, 0, Precision::F32), limit()) {
        (Ok(variants), None) => assert!(variants > 0),
        (Err(e), Some(limit)) => {
            let text = e.to_string();
            let said =
                ["the node", op.name(), "iterations", &limit.to_string(), &Desc::f32(shapes[0].to_vec()).to_string()];
            assert!(e.kind() == ErrorKind::Unsupported && said.iter().all(|s| text.contains(s)), "{text}");
        }
        (variants, limit) => panic!("{op:?} of {shapes:?}: {variants:?} with limit {limit:?}"),
    }
}

/// Whether a variant begins with this kernel.
fn has(kernel: &str, op: impl Op + 'static, shapes: &[&[usize]]) -> bool {
    kernels(op, shapes).iter().any(|k| k.split([' ', '(']).next() == Some(kernel))
}

#[test]
fn products_of_long_rows() {
    assert!(has("matmul", MatMul, &[&[1, 64_510], &[64_510, 1]]));
    assert_eq!(has("matmul", MatMul, &[&[1, 65_536], &[65_536, 1]]), limit().is_none());
    assert_eq!(has("matmul_register", MatMul, &[&[1, 300_000], &[300_000, 1]]), limit().is_none());
    for k in [64_510, 65_536, 300_000] {
        exact(MatMul, &[&[1, k], &[k, 1]]);
    }
    exact(MatMul, &[&[3, 258_000], &[258_000, 12]]);
}

#[test]
fn convolutions_of_many_channels_or_taps() {
    let direct = |c: usize, k: usize| has("conv2d_direct", Conv2d::default(), &[&[1, c, k, k], &[1, c, k, k]]);
    assert!(direct(10_700, 1) && direct(3_580, 3));
    assert!(limit().is_none() || !direct(65_532, 1) && !direct(6_000, 3));
    for (c, k) in [(10_700, 1), (65_532, 1), (3_580, 3), (6_000, 3), (20_000, 3), (4, 300)] {
        exact(Conv2d::default(), &[&[1, c, k, k], &[1, c, k, k]]);
    }
    exact(Conv2d::default(), &[&[1, 6_000, 3, 3], &[12, 6_000, 3, 3]]);
    let pairs = Conv2d { groups: 2, ..Conv2d::default() };
    exact(pairs.clone(), &[&[1, 21_402, 1, 1], &[2, 10_701, 1, 1]]);
    refused(pairs, &[&[1, 30_002, 1, 1], &[2, 15_001, 1, 1]]);
    let depthwise = Conv2d { groups: 2, ..Conv2d::default() };
    exact(depthwise.clone(), &[&[1, 2, 250, 250], &[2, 1, 250, 250]]);
    refused(depthwise, &[&[1, 2, 300, 300], &[2, 1, 300, 300]]);
}

#[test]
fn transposed_convolutions_of_many_channels_or_taps() {
    for c in [21_000, 70_000] {
        exact(ConvTranspose2d::default(), &[&[1, c, 1, 1], &[c, 1, 1, 1]]);
    }
    exact(ConvTranspose2d { stride: [2, 2], ..Default::default() }, &[&[1, 9_000, 1, 2], &[9_000, 12, 3, 3]]);
    exact(ConvTranspose2d { stride: [16, 16], ..Default::default() }, &[&[1, 240, 2, 1], &[240, 12, 32, 32]]);
    let groups = ConvTranspose2d { groups: 2, ..ConvTranspose2d::default() };
    refused(groups, &[&[1, 130_002, 1, 1], &[130_002, 1, 1, 1]]);
}

#[test]
fn windows_of_many_taps() {
    let dense = |kernel| Window { stride: [1, 1], ..Window::new(kernel) };
    let max = |kernel, indices| MaxPool2d { window: dense(kernel), ceil_mode: false, indices };
    let lp = |kernel, p| LpPool2d { window: dense(kernel), ceil_mode: false, p, signed: false, rescale: false };
    let avg =
        AvgPool2d { window: dense([300, 300]), ceil_mode: false, count_include_pad: true, divisor_override: None };
    counted(lp([252, 252], 1), &[1, 1, 252, 255]);
    counted(lp([252, 252], 1), &[1, 2, 253, 252]);
    check(max([252, 252], Indices::None), &[last_counts(&[1, 2, 254, 253])], true);
    check(max([300, 300], Indices::None), &[last_counts(&[1, 5, 300, 300])], true);
    check(max([252, 252], Indices::Plane), &[last_counts(&[1, 1, 252, 253])], true);
    check(avg.clone(), &[last_counts(&[1, 5, 300, 300])], false);
    refused(max([300, 300], Indices::None), &[&[1, 1, 301, 300]]);
    refused(max([300, 300], Indices::Plane), &[&[1, 1, 300, 300]]);
    refused(lp([300, 300], 1), &[&[1, 1, 300, 300]]);
    refused(lp([200, 200], 2), &[&[1, 1, 200, 200]]);
    refused(avg, &[&[1, 1, 301, 300]]);
    check(AdaptivePool2d { output: [1, 1], kind: PoolKind::Max }, &[last_counts(&[1, 2, 730, 730])], true);
}

#[test]
fn reductions_of_millions() {
    let n = 17_000_000;
    let sum = Reduce { axes: vec![0], keep_dims: false, kind: ReduceKind::Sum };
    exact(sum, &[&[n]]);
    let log = Reduce { axes: vec![0], keep_dims: false, kind: ReduceKind::LogSumExp };
    check(log, &[last_counts(&[n])], false);
    let arg = ArgReduce { axis: 0, keep_dims: false, select_last: false, kind: Extreme::Max };
    check(arg, &[last_counts(&[n])], true);
}

#[test]
fn shares_and_norms_of_millions() {
    check(Softmax { axis: 0, log: false }, &[last_counts(&[5_400_000])], false);
    refused(Softmax { axis: 0, log: true }, &[&[6_000_000]]);
    assert!(has("softmax_tree", Softmax { axis: 1, log: false }, &[&[1, 22_000, 1024]]));
    for p in [1, 2] {
        check(LpNormalize { axis: 0, p }, &[last_counts(&[3_000_000])], false);
    }
    refused(LpNormalize { axis: 0, p: 2 }, &[&[9_000_000]]);
}

#[test]
fn neighbours_and_ranks() {
    refused(LocalResponseNorm::pytorch(70_000, 1.0, 0.5, 1.0), &[&[1, 70_000, 1, 1]]);
    check(LocalResponseNorm::pytorch(200_000, 1.0, 0.5, 1.0), &[last_counts(&[1, 3_000, 1, 1])], false);
    refused(TopK { axis: 0, k: 1, smallest: false }, &[&[65_000]]);
    let smooth = |size| Resize2d {
        antialias: true,
        exclude_outside: true,
        ..Resize2d::new([size; 2], ResizeMode::Linear, Coordinates::HalfPixel)
    };
    check(smooth(2), &[last_counts(&[1, 1, 240, 240])], false);
    refused(smooth(2), &[&[1, 1, 600, 600]]);
}

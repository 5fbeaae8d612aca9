//! Numbers that are hard for an algorithm, and not for who checks it: the right answers follow from how the inputs are made.

use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::attr::{PoolKind, ReduceKind, Window};
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::batch_norm::BatchNormTraining;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::group_norm::GroupNorm;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::normalize::MeanVarianceNormalize;
use convgpu::internals::ops::pool2d::{AvgPool2d, Indices, MaxPool2d};
use convgpu::internals::ops::reduce::Reduce;
use convgpu::internals::ops::softmax::Softmax;

use crate::support::{Rng, check};

/// Every kernel within its bound of the reference, and the reference within 1e-6 of what is known.
fn check_known(op: impl Op + Clone + 'static, inputs: &[Tensor], known: impl Fn(usize) -> f64) {
    let y = op.reference(inputs).unwrap().remove(0);
    for (i, v) in y.to_f64s().into_iter().enumerate() {
        let e = known(i);
        let right = v == e || (v.is_nan() && e.is_nan()) || (v - e).abs() <= 1e-6 * e.abs().max(1e-3);
        assert!(right, "{op:?}: the reference has {v} at {i}, right is {e}");
    }
    check(op, inputs, false);
}

fn tensor(shape: &[usize], of: impl Fn(usize) -> f32) -> Tensor {
    Tensor::new(shape, (0..shape.iter().product()).map(of).collect::<Vec<_>>()).unwrap()
}

/// `mean + 1` and `mean - 1` in turns: the variance is 1, and the deviations are 1 and -1.
fn alternating(shape: &[usize], mean: f32) -> Tensor {
    tensor(shape, |i| if i % 2 == 0 { mean + 1.0 } else { mean - 1.0 })
}

fn sign(i: usize) -> f64 {
    if i.is_multiple_of(2) { 1.0 } else { -1.0 }
}

#[test]
fn statistics_of_means_far_beyond_the_deviation() {
    let eps = 1e-5;
    let scale = 1.0 / (1.0 + f64::from(eps)).sqrt();
    for mean in [1e2, -1e3, 1e4] {
        for shape in [[2, 6, 4, 8], [3, 8, 16, 10], [1, 4, 50, 64]] {
            let x = alternating(&shape, mean);
            let vector = |v: f32| tensor(&[shape[1]], |_| v);
            let batch = BatchNormTraining { eps, momentum: 0.5, unbiased: false };
            let inputs = [x.clone(), vector(1.0), vector(0.0), vector(0.0), vector(1.0)];
            check_known(batch, &inputs, |i| sign(i) * scale);
            for groups in [1, 2, shape[1]] {
                check_known(GroupNorm { groups, eps }, std::slice::from_ref(&x), |i| sign(i) * scale);
            }
            for axes in 1..4 {
                check_known(LayerNorm { axes, eps, stats: false }, std::slice::from_ref(&x), |i| sign(i) * scale);
            }
            let op = MeanVarianceNormalize { axes: vec![0, 2, 3], eps };
            // Its epsilon is added to the deviation.
            check_known(op, std::slice::from_ref(&x), |i| sign(i) / (1.0 + f64::from(eps)));
        }
    }
}

/// All values are equal, or there is only one.
#[test]
fn a_variance_of_zero_gives_the_bias() {
    for (shape, value) in [([2, 4, 5, 7], 3.7), ([1, 4, 1, 1], -1e4), ([1, 64, 1, 1], 0.1), ([2, 8, 33, 31], 5e4)] {
        let x = tensor(&shape, |_| value);
        let vector = |v: f32| tensor(&[shape[1]], |_| v);
        let inputs = [x.clone(), vector(2.0), vector(0.25)];
        for groups in [1, shape[1]] {
            check_known(GroupNorm { groups, eps: 1e-5 }, &inputs, |_| 0.25);
        }
        let training = [inputs.to_vec(), vec![vector(0.0), vector(1.0)]].concat();
        check_known(BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased: false }, &training, |_| 0.25);
        let last = tensor(&[shape[3]], |_| 0.25);
        let inputs = [x, tensor(&[shape[3]], |_| 2.0), last];
        check_known(LayerNorm { axes: 1, eps: 1e-5, stats: false }, &inputs, |_| 0.25);
    }
}

/// Two values are the largest, the others are far below: e^-10000 is 0.
#[test]
fn softmax_of_ten_thousand() {
    for n in [2, 5, 64, 70, 1000, 2052] {
        let x = tensor(&[3, n], |i| if i % n < 2 { 1e4 } else { [-1e4, 0.0, 9e3][i % 3] });
        let half = |i: usize| if i % n < 2 { 0.5 } else { 0.0 };
        check_known(Softmax { axis: 1, log: false }, std::slice::from_ref(&x), half);
        let log = |i: usize| {
            let v = if i % n < 2 { 1e4 } else { [-1e4, 0.0, 9e3][i % 3] };
            v - 1e4 - std::f64::consts::LN_2
        };
        check_known(Softmax { axis: 1, log: true }, std::slice::from_ref(&x), log);
    }
}

/// Beyond 2^24 a sum in f32 that takes one term after another stands still; here it is 100 000, or 0.
#[test]
fn sums_of_a_hundred_thousand() {
    const N: usize = 100_000;
    let ones = tensor(&[2, N], |_| 1.0);
    let turns = tensor(&[2, N], |i| if i % 2 == 0 { 1e4 } else { -1e4 });
    let reduce = |kind| Reduce { axes: vec![1], keep_dims: false, kind };
    check_known(reduce(ReduceKind::Sum), std::slice::from_ref(&ones), |_| N as f64);
    check_known(reduce(ReduceKind::Mean), std::slice::from_ref(&ones), |_| 1.0);
    check_known(reduce(ReduceKind::Sum), std::slice::from_ref(&turns), |_| 0.0);
    check_known(reduce(ReduceKind::L2), std::slice::from_ref(&turns), |_| 1e4 * (N as f64).sqrt());
    let columns = tensor(&[N, 2], |i| [1.0, 0.5][i % 2]);
    check_known(MatMul, &[ones, columns.clone()], |i| N as f64 * [1.0, 0.5][i % 2]);
    check_known(MatMul, &[turns, columns], |_| 0.0);
}

/// 90 000 products per output.
#[test]
fn a_convolution_of_ten_thousand_channels() {
    let x = tensor(&[1, 10_000, 3, 3], |i| if i / 9 % 2 == 0 { 1.0 } else { -0.5 });
    let weight = tensor(&[2, 10_000, 3, 3], |i| [1.0, 0.25][i / 90_000]);
    let inputs = [x, weight];
    check_known(Conv2d::default(), &inputs, |i| 9.0 * 2500.0 * [1.0, 0.25][i]);
}

#[test]
fn windows_of_minus_infinity() {
    let x = tensor(&[1, 6, 8, 9], |_| f32::NEG_INFINITY);
    let window = Window { kernel: [3, 2], stride: [2, 1], padding: [[1, 1], [1, 0]], dilation: [1, 1] };
    let all = |_| f64::NEG_INFINITY;
    check_known(MaxPool2d { window, ceil_mode: false, indices: Indices::None }, std::slice::from_ref(&x), all);
    let average = AvgPool2d { window, ceil_mode: true, count_include_pad: true, divisor_override: None };
    check_known(average, std::slice::from_ref(&x), all);
    for kind in [PoolKind::Avg, PoolKind::Max] {
        check_known(AdaptivePool2d { output: [3, 2], kind }, std::slice::from_ref(&x), all);
    }
    // With indices: the first of equal values, as in PyTorch.
    check(MaxPool2d { window, ceil_mode: false, indices: Indices::Plane }, std::slice::from_ref(&x), true);
}

/// A negative control: the bound of a normalisation refuses what sums of squares in f32 would give.
#[test]
fn the_bound_of_statistics_is_no_larger_than_the_deviation() {
    let mut rng = Rng(3);
    let x = Tensor::new([1, 1, 40, 40], (0..1600).map(|_| 1e4 + rng.float()).collect::<Vec<f32>>()).unwrap();
    let op = GroupNorm { groups: 1, eps: 1e-5 };
    let y = op.reference(std::slice::from_ref(&x)).unwrap();
    let bounds = op.bounds(std::slice::from_ref(&x), &y).unwrap().unwrap();
    assert!(bounds[0].iter().all(|b| *b < 0.05), "{:?}", bounds[0].iter().fold(0.0f32, |most, b| most.max(*b)));
}

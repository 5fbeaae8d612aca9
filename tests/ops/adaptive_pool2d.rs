use convgpu::custom::Op;
use convgpu::internals::attr::PoolKind;
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_channels_last, check_golden};

/// Output sizes that divide, do not divide and exceed the image; bins below and above the tree's threshold.
const OUTPUTS: [[usize; 2]; 6] = [[1, 1], [2, 3], [3, 1], [1, 2], [7, 5], [14, 31]];

#[test]
fn maxima_are_exact() {
    let mut rng = Rng(1);
    for output in OUTPUTS {
        for shape in [[2, 35, 13, 17], [1, 3, 1, 9], [2, 4, 64, 66]] {
            check(AdaptivePool2d { output, kind: PoolKind::Max }, &[rng.integers(&shape)], true);
        }
    }
}

/// Bins of 2, 4, .. pixels: their sums are integers, their means exact.
#[test]
fn means_of_integers_are_exact() {
    let mut rng = Rng(2);
    for (output, shape) in [([3, 4], [2, 5, 6, 16]), ([1, 1], [2, 35, 8, 16]), ([2, 1], [1, 33, 8, 64])] {
        check(AdaptivePool2d { output, kind: PoolKind::Avg }, &[rng.integers(&shape)], true);
    }
}

#[test]
fn random_means_within_bounds() {
    let mut rng = Rng(3);
    for output in OUTPUTS {
        check(AdaptivePool2d { output, kind: PoolKind::Avg }, &[rng.tensor(&[2, 35, 13, 17])], false);
    }
}

#[test]
fn a_nan_wins_and_infinities_stay() {
    let mut x = Rng(4).tensor(&[1, 5, 12, 15]).as_f32().unwrap().to_vec();
    x[100] = f32::NAN;
    x[200] = f32::INFINITY;
    x[360..540].fill(f32::NEG_INFINITY);
    let x = Tensor::new([1, 5, 12, 15], x).unwrap();
    for output in [[1, 1], [5, 4]] {
        check(AdaptivePool2d { output, kind: PoolKind::Max }, std::slice::from_ref(&x), true);
    }
}

#[test]
fn padding_lanes_stay_zero() {
    for output in [[1, 1], [4, 2]] {
        check_channels_last(AdaptivePool2d { output, kind: PoolKind::Max }, [2, 5, 8, 16]);
        check_channels_last(AdaptivePool2d { output, kind: PoolKind::Avg }, [2, 5, 8, 16]);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let op = |output| AdaptivePool2d { output, kind: PoolKind::Avg };
    let x = |shape: &[usize]| Tensor::zeros(shape).desc();
    assert!(op([0, 2]).outputs(&[x(&[1, 2, 3, 4])]).is_err());
    assert!(op([1, 2]).outputs(&[x(&[1, 2, 3, 0])]).is_err());
    assert!(op([1, 2]).outputs(&[x(&[2, 3, 4])]).is_err());
    assert!(op([usize::MAX, 2]).outputs(&[x(&[1, 2, 3, 4])]).is_err());
    check(op([1, 1]), &[Tensor::zeros([0, 2, 3, 4])], true);
}

pub fn pytorch(case: &Case) {
    let kind = if case.op == "adaptive_avg_pool2d" { PoolKind::Avg } else { PoolKind::Max };
    let op = AdaptivePool2d { output: case.pair(case.named(&["output", "output_size"])), kind };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

/// The ends of bins are products of both sizes of an axis.
#[test]
fn products_beyond_31_bits_are_refused() {
    let outputs =
        |output, image: [usize; 4]| AdaptivePool2d { output, kind: PoolKind::Avg }.outputs(&[Desc::f32(image)]);
    assert!(outputs([40_000, 1], [1, 1, 50_000, 1]).is_ok() && outputs([1, 40_000], [1, 1, 1, 50_000]).is_ok());
    for (output, image) in [([40_000, 1], [1, 1, 60_000, 1]), ([1, 40_000], [1, 1, 1, 60_000])] {
        assert_eq!(outputs(output, image).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

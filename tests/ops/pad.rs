use convgpu::custom::Op;
use convgpu::internals::attr::PadMode;
use convgpu::internals::ops::pad::Pad;
use convgpu::{DType, Data, Desc, Tensor};

use crate::support::{Case, Rng, check, check_channels_last, check_golden};

const MODES: [PadMode; 4] = [PadMode::Constant(0.5), PadMode::Reflect, PadMode::Replicate, PadMode::Circular];

#[test]
fn every_mode_pads_and_crops() {
    let mut rng = Rng(1);
    for mode in MODES {
        for pads in [[[2, 1], [0, 3]], [[-1, 4], [3, -2]], [[-2, -1], [0, 0]], [[0, 4], [4, 0]]] {
            let images = [[0, 0], [0, 0]].into_iter().chain(pads).collect();
            check(Pad { pads: images, mode }, &[rng.tensor(&[2, 3, 5, 7])], true);
            check(Pad { pads: pads.to_vec(), mode }, &[rng.tensor(&[5, 6])], true);
        }
        let all = vec![[1, 0], [0, 1], [1, 1], [0, 0], [1, -1], [-1, 1]];
        check(Pad { pads: all, mode }, &[rng.tensor(&[2, 3, 4, 2, 5, 3])], true);
    }
}

#[test]
fn seven_axes_fold_to_six() {
    let pads = vec![[1, 0], [0, 0], [0, 0], [0, 0], [0, 2], [0, 0], [1, 1]];
    check(Pad { pads, mode: PadMode::Replicate }, &[Rng(2).tensor(&[2, 3, 1, 2, 3, 2, 2])], true);
}

#[test]
fn infinities_and_other_types() {
    let mut rng = Rng(3);
    let pads = vec![[0, 0], [0, 0], [1, 0], [0, 2]];
    for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        check(Pad { pads: pads.clone(), mode: PadMode::Constant(value) }, &[rng.tensor(&[1, 3, 2, 5])], true);
    }
    let op = Pad { pads: vec![[1, 0], [-1, 2]], mode: PadMode::Constant(-7.0) };
    check(op.clone(), &[Tensor::new([2, 3], vec![1i32, 2, 3, 4, 5, 6]).unwrap()], true);
    check(op.clone(), &[Tensor::new([2, 3], vec![1i64, 2, 3, 4, 5, 6]).unwrap()], true);
    check(op, &[Tensor::new([2, 3], vec![true, false, false, true, true, false]).unwrap()], true);
}

/// f32 has none of these numbers.
#[test]
fn constants_beyond_f32() {
    let op = |value| Pad { pads: vec![[1, 0]], mode: PadMode::Constant(value) };
    let first = |value, x: &[Tensor]| op(value).reference(x).unwrap().remove(0).to_f64s()[0];
    for value in [16_777_217.0, 123_456_789.0, 2_147_483_647.0, -2_147_483_647.0] {
        for x in [Tensor::from([1i32, 2]), Tensor::from([1i64, 2])] {
            assert_eq!(first(value, std::slice::from_ref(&x)), value);
            check(op(value), &[x], true);
        }
    }
    let unsigned = [Tensor::from([1u32, 2])];
    assert_eq!(first(2_147_483_649.0, &unsigned), 2_147_483_649.0);
    check(op(2_147_483_649.0), &unsigned, true);
    let wide = [Tensor::from([1i64, 2])];
    assert_eq!(first(1_099_511_627_777.0, &wide), 1_099_511_627_777.0);
    let double = [Tensor::from([1.0f32, 2.0]).to_dtype(DType::F64)];
    assert_eq!(first(0.1, &double), 0.1);
    check(op(0.1), &double, false);
}

#[test]
fn empty_tensors() {
    let op = |pads: &[[i64; 2]], value| Pad { pads: pads.to_vec(), mode: PadMode::Constant(value) };
    check(op(&[[1, 2], [0, 1]], 3.0), &[Tensor::zeros([0, 2])], true);
    check(op(&[[0, 0], [-1, -1]], 3.0), &[Tensor::zeros([3, 2])], true);
    check(op(&[], 3.0), &[Tensor::scalar(2.0)], true);
}

#[test]
fn padding_lanes_stay_zero() {
    for mode in [PadMode::Constant(f64::INFINITY), PadMode::Reflect] {
        check_channels_last(Pad { pads: vec![[0, 0], [0, 0], [1, 2], [-1, 3]], mode }, [2, 5, 4, 6]);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let refuses = |pads: &[[i64; 2]], mode| {
        let op = Pad { pads: pads.to_vec(), mode };
        assert!(op.outputs(&[Tensor::zeros([3, 4]).desc()]).is_err(), "{op:?}");
    };
    refuses(&[[1, 1]], PadMode::Replicate);
    refuses(&[[0, 3], [0, 0]], PadMode::Reflect);
    refuses(&[[4, 0], [0, 0]], PadMode::Circular);
    refuses(&[[-2, -2], [0, 0]], PadMode::Constant(0.0));
    for mode in MODES {
        refuses(&[[i64::MAX, i64::MAX], [0, 0]], mode);
        refuses(&[[i64::MIN, 0], [0, 0]], mode);
    }
    let op = Pad { pads: vec![[1, 0]], mode: PadMode::Replicate };
    assert!(op.outputs(&[Tensor::zeros([0]).desc()]).is_err());
}

/// The last axis comes first in PyTorch's list.
pub fn pytorch(case: &Case) {
    let sides = case.signed_list("pad");
    let mode = match case.str("mode") {
        "constant" => PadMode::Constant(case.f32_or_null("value").unwrap_or(0.0).into()),
        "reflect" => PadMode::Reflect,
        "replicate" => PadMode::Replicate,
        "circular" => PadMode::Circular,
        other => panic!("{other}"),
    };
    let mut pads = vec![[0, 0]; case.tensor("x").shape().len()];
    pads.iter_mut().rev().zip(sides.chunks(2)).for_each(|(pad, sides)| *pad = [sides[0], sides[1]]);
    check_golden(case, Pad { pads, mode }, &case.input_tensors(), &case.out());
}

/// A constant that f32 lacks is rounded on a device: once, relative to its size.
#[test]
fn a_rounded_constant_has_a_bound() {
    let op = Pad { pads: vec![[1, 1]], mode: PadMode::Constant(1000.1) };
    let x = Tensor::new([1], Data::F64(vec![0.5].into())).unwrap();
    let y = op.reference(std::slice::from_ref(&x)).unwrap();
    let bounds = op.bounds(std::slice::from_ref(&x), &y).unwrap().unwrap().remove(0);
    let half_a_unit = 2f32.powi(-24);
    assert!(bounds[1] == 0.0 && (bounds[0] / (1000.1 * half_a_unit) - 1.0).abs() < 1e-3, "{bounds:?}");
}

/// A quarter of the most elements may be added or cut off on each side; all of them are the end of an axis.
#[test]
fn pads_have_ends() {
    let outputs = |extent: usize, before: i64, after: i64| {
        let op = Pad { pads: vec![[before, after]], mode: PadMode::Constant(0.0) };
        op.outputs(&[Desc::f32([extent])]).map(|y| y[0].shape[0])
    };
    let most = 1i64 << 29;
    assert_eq!(outputs(3, most, 1).unwrap(), 4 + most as usize);
    assert_eq!(outputs(3, 1, most).unwrap(), 4 + most as usize);
    assert_eq!(outputs(3, most, most).unwrap(), 3 + 2 * most as usize);
    for (extent, before, after) in [(3, most + 1, 0), (3, 0, most + 1), (1 << 30, most, most), (3, -2, -2)] {
        assert!(outputs(extent, before, after).is_err(), "{extent}: {before}, {after}");
    }
    assert_eq!(outputs(1 << 30, -most, 2).unwrap(), (1 << 29) + 2);
    for (before, after) in [(-most - 1, 5), (5, -most - 1)] {
        assert!(outputs(1 << 30, before, after).is_err(), "{before}, {after}");
    }
}

use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::attr::ReduceKind;
use convgpu::internals::ops::reduce::Reduce;
use convgpu::internals::ops::softmax::Softmax;

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn random_cases_within_bounds() {
    let cases: [(usize, &[usize]); 14] = [
        (1, &[19, 68]),
        (2, &[3, 7, 32]),
        (1, &[17, 2052]),
        (0, &[7]),
        (0, &[300]),
        (1, &[3, 64]),
        (1, &[2, 63, 5]),
        (1, &[2, 1000]),
        (1, &[3, 65, 4]),
        (1, &[2, 70, 29, 31]),
        (2, &[2, 3, 513, 2]),
        (3, &[2, 3, 4, 5]),
        (0, &[5, 3]),
        (1, &[4, 1]),
    ];
    for (axis, shape) in cases {
        let x = Rng(axis as u64).tensor(shape);
        let wide = Tensor::new(shape, x.as_f32().unwrap().iter().map(|v| v * 40.0).collect::<Vec<_>>()).unwrap();
        for log in [false, true] {
            check(Softmax { axis, log }, std::slice::from_ref(&x), false);
            check(Softmax { axis, log }, std::slice::from_ref(&wide), false);
        }
    }
}

/// What masks an attention: very negative, and finite.
#[test]
fn masked_values() {
    for mask in [f32::MIN, -1e30, -2e10, -1e4] {
        for n in [4, 70, 300] {
            let numbers = Rng(n as u64).tensor(&[6, n]).to_vec::<f32>().unwrap();
            // Row 5 is masked as a whole.
            let masked = |(i, v)| if i % n > i / n && i / n < 5 { v } else { v + mask };
            let x = Tensor::new([6, n], numbers.into_iter().enumerate().map(masked).collect::<Vec<f32>>()).unwrap();
            for log in [false, true] {
                check(Softmax { axis: 1, log }, std::slice::from_ref(&x), false);
            }
            check(Reduce { axes: vec![1], keep_dims: false, kind: ReduceKind::LogSumExp }, &[x], false);
        }
    }
}

/// As in PyTorch: -inf gives 0; a set with +inf or NaN, or of -inf alone, gives NaN; other sets are not affected.
#[test]
fn infinities_and_nans() {
    let inf = f32::INFINITY;
    for (sets, n) in [(6, 4), (6, 70), (21, 36)] {
        let mut x = vec![0.5; sets * n];
        x[0] = -inf;
        x[n + 1] = inf;
        x[2 * n + 2] = f32::NAN;
        x[3 * n..4 * n].fill(-inf);
        x[4 * n] = f32::MAX;
        let x = Tensor::new([sets, n], x).unwrap();
        for log in [false, true] {
            let op = Softmax { axis: 1, log };
            let y = op.reference(std::slice::from_ref(&x)).unwrap().remove(0);
            let nans: Vec<_> = y.as_f32().unwrap().chunks(n).map(|row| row.iter().all(|v| v.is_nan())).collect();
            assert_eq!(nans[..6], [false, true, true, true, false, false]);
            assert_eq!(y.as_f32().unwrap()[0], if log { -inf } else { 0.0 });
            check(op, std::slice::from_ref(&x), false);
        }
    }
}

/// More workgroups than fit along one axis of a grid: its last row has one that has nothing to do, and may not write.
#[test]
fn more_sets_than_an_axis_of_a_grid() {
    let x = Rng(3).tensor(&[65_537, 67]);
    check(Softmax { axis: 1, log: false }, &[x], false);
}

#[test]
fn empty_tensors_and_wrong_axes() {
    for shape in [[0, 3], [3, 0]] {
        check(Softmax { axis: 1, log: false }, &[Tensor::zeros(shape)], true);
    }
    assert!(Softmax { axis: 2, log: false }.outputs(&[Tensor::zeros([2, 3]).desc()]).is_err());
    assert!(Softmax { axis: 0, log: false }.outputs(&[Tensor::scalar(1.0).desc()]).is_err());
}

pub fn pytorch(case: &Case) {
    let op = Softmax { axis: case.axis("dim", case.tensor("x").shape().len()), log: case.op == "log_softmax" };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

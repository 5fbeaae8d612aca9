use convgpu::custom::Op;
use convgpu::internals::attr::{Extreme, ReduceKind};
use convgpu::internals::ops::reduce::{ArgReduce, Reduce};
use convgpu::{DType, Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_golden};

const KINDS: [ReduceKind; 10] = [
    ReduceKind::Sum,
    ReduceKind::Mean,
    ReduceKind::Max,
    ReduceKind::Min,
    ReduceKind::Prod,
    ReduceKind::L1,
    ReduceKind::L2,
    ReduceKind::LogSum,
    ReduceKind::LogSumExp,
    ReduceKind::SumSquare,
];

const CASES: [(&[usize], &[usize]); 12] = [
    (&[3, 5], &[1]),
    (&[3, 5], &[0]),
    (&[7], &[0]),
    (&[2, 3, 4, 5], &[2, 3]),
    (&[2, 3, 4, 5], &[0, 2]),
    (&[2, 3, 4, 5], &[3, 1]),
    (&[2, 1, 4, 1, 5], &[1, 2]),
    (&[2, 3, 4, 2, 3, 2], &[0, 2, 4]),
    (&[3, 17, 19], &[1, 2]),
    (&[2, 70, 3, 6], &[1, 3]),
    (&[600, 2], &[0]),
    (&[2, 3], &[]),
];

#[test]
fn integers_are_exact() {
    for (k, (shape, axes)) in CASES.iter().enumerate() {
        for kind in [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min, ReduceKind::L1, ReduceKind::SumSquare] {
            let x = Rng(k as u64).integers(shape);
            check(Reduce { axes: axes.to_vec(), keep_dims: k % 2 == 0, kind }, &[x], true);
        }
    }
}

/// Positive values, so that a sum has a logarithm; near 1, so that no product over- or underflows.
#[test]
fn random_cases_within_bounds() {
    for (k, (shape, axes)) in CASES.iter().enumerate() {
        for kind in KINDS {
            let rng = &mut Rng(k as u64);
            let values = (0..shape.iter().product()).map(|_| 1.0 + 0.1 * rng.float()).collect::<Vec<_>>();
            let x = Tensor::new(*shape, values).unwrap();
            check(Reduce { axes: axes.to_vec(), keep_dims: k % 2 == 0, kind }, &[x], false);
            if !matches!(kind, ReduceKind::LogSum | ReduceKind::Prod) {
                check(Reduce { axes: axes.to_vec(), keep_dims: k % 2 == 0, kind }, &[rng.tensor(shape)], false);
            }
        }
    }
}

#[test]
fn nothing_reduces_to_the_neutral_element() {
    for kind in KINDS {
        for (shape, axes) in [([3, 0, 2], vec![1]), ([0, 3, 2], vec![0, 2]), ([0, 3, 2], vec![1])] {
            check(Reduce { axes, keep_dims: true, kind }, &[Tensor::zeros(shape)], true);
        }
    }
}

#[test]
fn infinities_and_nans() {
    let inf = f32::INFINITY;
    for n in [3, 300] {
        let mut x = vec![0.5; 5 * n];
        (x[1], x[n + 2], x[2 * n]) = (f32::NAN, inf, -inf);
        x[3 * n..4 * n].fill(-inf);
        let x = Tensor::new([5, n], x).unwrap();
        for kind in [ReduceKind::Max, ReduceKind::Min, ReduceKind::Sum, ReduceKind::LogSumExp] {
            check(Reduce { axes: vec![1], keep_dims: false, kind }, std::slice::from_ref(&x), false);
        }
    }
}

#[test]
fn integers_and_booleans_are_exact() {
    for (k, (shape, axes)) in CASES.iter().enumerate() {
        let rng = &mut Rng(k as u64);
        let ints: Vec<i32> = (0..shape.iter().product()).map(|_| rng.int(0, 14) as i32 - 7).collect();
        let wide: Vec<i64> = ints.iter().map(|&v| v.into()).collect();
        let truths: Vec<bool> = ints.iter().map(|&v| v > 5).collect();
        let of = |kind| Reduce { axes: axes.to_vec(), keep_dims: k % 2 == 0, kind };
        for kind in
            [ReduceKind::Sum, ReduceKind::Mean, ReduceKind::Max, ReduceKind::Min, ReduceKind::L1, ReduceKind::SumSquare]
        {
            check(of(kind), &[Tensor::new(*shape, ints.clone()).unwrap()], true);
            check(of(kind), &[Tensor::new(*shape, wide.clone()).unwrap()], true);
        }
        check(
            of(ReduceKind::Prod),
            &[Tensor::new(*shape, truths.iter().map(|&t| 1 - 2 * i32::from(t)).collect::<Vec<_>>()).unwrap()],
            true,
        );
        for kind in [ReduceKind::Max, ReduceKind::Min] {
            check(of(kind), &[Tensor::new(*shape, truths.clone()).unwrap()], true);
        }
    }
    let extremes = Tensor::new([2, 2], vec![i32::MIN, i32::MIN, i32::MAX, i32::MAX]).unwrap();
    for kind in [ReduceKind::Max, ReduceKind::Min] {
        check(Reduce { axes: vec![1], keep_dims: false, kind }, std::slice::from_ref(&extremes), true);
    }
    let none = Tensor::new([3, 0], Vec::<i32>::new()).unwrap();
    for kind in [ReduceKind::Sum, ReduceKind::Prod] {
        check(Reduce { axes: vec![1], keep_dims: false, kind }, std::slice::from_ref(&none), true);
    }
    let of = |kind| Reduce { axes: vec![1], keep_dims: false, kind };
    assert!(of(ReduceKind::Mean).outputs(&[none.desc()]).is_err());
    for kind in [ReduceKind::Max, ReduceKind::Min] {
        assert!(of(kind).outputs(&[Desc::new([3, 0], DType::I64)]).is_err());
    }
}

/// What a reduction starts from is no larger, and no smaller, than any number of the type: short rows and long ones.
#[test]
fn extremes_of_the_ends_of_the_type() {
    for n in [3, 70, 600, 3000] {
        let check_all = |least: Tensor, most: Tensor| {
            for keep_dims in [false, true] {
                check(Reduce { axes: vec![1], keep_dims, kind: ReduceKind::Max }, std::slice::from_ref(&least), true);
                check(Reduce { axes: vec![1], keep_dims, kind: ReduceKind::Min }, std::slice::from_ref(&most), true);
            }
        };
        let shape = [2, n];
        let of = |v: i64, dtype| Tensor::new(shape, vec![v; 2 * n]).unwrap().to_dtype(dtype);
        check_all(of(0, DType::U32), of(u32::MAX.into(), DType::U32));
        check_all(of(i32::MIN.into(), DType::I32), of(i32::MAX.into(), DType::I32));
        check_all(of(0, DType::U8), of(255, DType::U8));
        check_all(of(-128, DType::I8), of(127, DType::I8));
        check_all(Tensor::full(shape, f32::NEG_INFINITY), Tensor::full(shape, f32::INFINITY));
        check_all(Tensor::full(shape, f32::MIN), Tensor::full(shape, f32::MAX));
    }
}

#[test]
fn extremes_of_nothing_are_the_ends_of_the_type() {
    let ends = [
        (DType::Bool, 0, 1),
        (DType::I8, -128, 127),
        (DType::U8, 0, 255),
        (DType::I16, -32768, 32767),
        (DType::U16, 0, 65535),
        (DType::I32, i32::MIN.into(), i32::MAX.into()),
        (DType::U32, 0, u32::MAX.into()),
    ];
    for (dtype, least, largest) in ends {
        let none = Tensor::zeros([3, 0]).to_dtype(dtype);
        for (kind, end) in [(ReduceKind::Max, least), (ReduceKind::Min, largest)] {
            let op = Reduce { axes: vec![1], keep_dims: false, kind };
            let y = op.reference(std::slice::from_ref(&none)).unwrap();
            assert_eq!(y[0].to_i64s().unwrap(), [end; 3], "{kind:?} of {dtype}");
            check(op, std::slice::from_ref(&none), true);
        }
    }
}

#[test]
fn what_leaves_the_type_keeps_its_low_bits() {
    let reduce = |kind, x: Tensor| Reduce { axes: vec![1], keep_dims: false, kind }.reference(&[x]);
    let x = || Tensor::new([2, 3], vec![1i64, -2, 30, 4, 5, -6]).unwrap();
    assert_eq!(reduce(ReduceKind::Sum, x()).unwrap()[0].to_i64s().unwrap(), [29, 3]);
    assert_eq!(reduce(ReduceKind::Prod, x()).unwrap()[0].to_i64s().unwrap(), [-60, -120]);
    assert_eq!(reduce(ReduceKind::Max, x()).unwrap()[0].to_i64s().unwrap(), [30, 5]);
    let most = || Tensor::new([1, 2], vec![i64::MAX, 1]).unwrap();
    assert_eq!(reduce(ReduceKind::Sum, most()).unwrap()[0].to_i64s().unwrap(), [i64::MIN]);
    assert_eq!(reduce(ReduceKind::SumSquare, most()).unwrap()[0].to_i64s().unwrap(), [2]);
    // A mean always fits.
    assert_eq!(reduce(ReduceKind::Mean, most()).unwrap()[0].to_i64s().unwrap(), [1 << 62]);
    let wraps = Tensor::new([1, 2], vec![i32::MAX, 2]).unwrap();
    assert_eq!(reduce(ReduceKind::Prod, wraps).unwrap()[0].to_i64s().unwrap(), [-2]);
}

#[test]
fn wrong_axes_are_refused() {
    let op = |axes| Reduce { axes, keep_dims: false, kind: ReduceKind::Sum };
    assert!(op(vec![2]).outputs(&[Desc::f32([2, 3])]).is_err());
    assert!(op(vec![1, 1]).outputs(&[Desc::f32([2, 3])]).is_err());
}

#[test]
fn indices_of_extremes() {
    for (k, (shape, axis)) in
        [(vec![4, 9], 1), (vec![2, 5, 7], 1), (vec![6, 2], 0), (vec![3, 1000], 1), (vec![2, 300, 3], 1), (vec![1], 0)]
            .into_iter()
            .enumerate()
    {
        for (kind, select_last) in
            [(Extreme::Max, false), (Extreme::Max, true), (Extreme::Min, false), (Extreme::Min, true)]
        {
            let op = ArgReduce { axis, keep_dims: k % 2 == 0, select_last, kind };
            check(op.clone(), &[Rng(k as u64).tensor(&shape)], true);
            // Nine different values: ties everywhere.
            for dtype in [DType::F32, DType::I32, DType::I64, DType::I8, DType::U32, DType::Bool] {
                check(op.clone(), &[Rng(k as u64).integers(&shape).to_dtype(dtype)], true);
            }
            let mut values = Rng(k as u64).integers(&shape).as_f32().unwrap().to_vec();
            let n = values.len();
            (values[n / 2], values[n - 1]) = (f32::NAN, f32::NAN);
            check(op, &[Tensor::new(shape.clone(), values).unwrap()], true);
        }
    }
    let op = ArgReduce { axis: 1, keep_dims: false, select_last: false, kind: Extreme::Max };
    assert!(op.outputs(&[Desc::f32([2, 0])]).is_err());
    assert!(op.outputs(&[Desc::f32([2])]).is_err());
    check(op, &[Tensor::zeros([0, 3])], true);
    let x = Tensor::new([4], vec![1.0, 3.0, f32::NAN, 3.0]).unwrap();
    let op = ArgReduce { axis: 0, keep_dims: false, select_last: false, kind: Extreme::Min };
    assert_eq!(op.reference(&[x]).unwrap()[0].to_i64s().unwrap(), [2]);
    // These are one number in f32.
    let x = Tensor::from([16_777_217i32, 16_777_216]);
    assert_eq!(op.reference(std::slice::from_ref(&x)).unwrap()[0].to_i64s().unwrap(), [1]);
    check(op, &[x], true);
}

pub fn pytorch_reduce(case: &Case) {
    let kind = match (case.op.as_str(), case.params.get("p").and_then(|p| p.as_u64())) {
        ("sum", _) => ReduceKind::Sum,
        ("mean", _) => ReduceKind::Mean,
        ("amax", _) => ReduceKind::Max,
        ("amin", _) => ReduceKind::Min,
        ("prod", _) => ReduceKind::Prod,
        ("logsumexp", _) => ReduceKind::LogSumExp,
        ("norm", Some(1)) => ReduceKind::L1,
        ("norm", Some(2)) => ReduceKind::L2,
        other => panic!("{other:?}"),
    };
    let axes = case.axes("dim", case.tensor("x").shape().len());
    let op = Reduce { axes, keep_dims: case.bool("keepdim"), kind };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

/// Without an axis the index is that of the flat tensor.
pub fn pytorch_arg(case: &Case) {
    let kind = if case.op == "argmax" { Extreme::Max } else { Extreme::Min };
    let x = case.tensor("x");
    let (x, axis) = match case.params["dim"].is_null() {
        true => (x.reshape([x.numel()]).unwrap(), 0),
        false => (x.clone(), case.axis("dim", x.shape().len())),
    };
    let op = ArgReduce { axis, keep_dims: case.bool("keepdim"), select_last: false, kind };
    let (out, flat) = (case.indices("out"), case.params["dim"].is_null() && case.bool("keepdim"));
    let out = if flat { out.reshape([1]).unwrap() } else { out };
    check_golden(case, op, &[x], &[out]);
}

/// Where squares exceed f32 their sum is infinite on a device, although its root is not: no bound holds.
#[test]
fn squares_beyond_f32_have_no_bound() {
    let bound = |v: f32| {
        let op = Reduce { axes: vec![0], keep_dims: false, kind: ReduceKind::L2 };
        let x = Tensor::from([v, v, v, v]);
        let y = op.reference(std::slice::from_ref(&x)).unwrap();
        op.bounds(std::slice::from_ref(&x), &y).unwrap().unwrap()[0][0]
    };
    assert!(bound(1e19) == f32::INFINITY && bound(1e30) == f32::INFINITY);
    assert!(bound(9e18) < 1e14);
}

/// The shape rule refuses them, before anything is asked for their order.
#[test]
fn floats_of_16_bits_have_no_extremes() {
    for dtype in [DType::F16, DType::BF16] {
        let op = ArgReduce { axis: 0, keep_dims: false, select_last: false, kind: Extreme::Max };
        let e = op.outputs(&[Desc::new([3], dtype)]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Unsupported, "{e}");
    }
}

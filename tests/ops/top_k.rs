use convgpu::custom::Op;
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::ops::top_k::TopK;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::{DType, Desc, ErrorKind, Graph, Tensor};

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn the_most_extreme_first() {
    for (seed, (shape, axis, k)) in [
        (vec![9], 0, 4),
        (vec![3, 17], 1, 17),
        (vec![5, 70, 3], 1, 6),
        (vec![130, 2, 3], 0, 1),
        (vec![2, 3, 4, 5], 3, 2),
        (vec![2, 3], 1, 0),
        (vec![0, 4], 1, 2),
        (vec![1], 0, 1),
    ]
    .into_iter()
    .enumerate()
    {
        for smallest in [false, true] {
            let (op, rng) = (TopK { axis, k, smallest }, &mut Rng(seed as u64));
            check(op.clone(), &[rng.tensor(&shape)], true);
            // Nine different values: ties everywhere.
            check(op.clone(), &[rng.integers(&shape)], true);
            let mut values = rng.integers(&shape).as_f32().unwrap().to_vec();
            let n = values.len();
            if n > 2 {
                (values[n / 2], values[n - 1], values[0]) = (f32::NAN, f32::NAN, f32::INFINITY);
            }
            check(op, &[Tensor::new(shape.clone(), values).unwrap()], true);
        }
    }
}

/// As `torch.topk`: NaN comes first among the largest, and last among the smallest.
#[test]
fn nan_is_larger_than_any_number() {
    let x = Tensor::from([1.0, f32::NAN, 3.0, f32::INFINITY, f32::NAN]);
    for (smallest, wanted) in [(false, [1i64, 4, 3, 2, 0]), (true, [0, 2, 3, 1, 4])] {
        let op = TopK { axis: 0, k: 5, smallest };
        let indices = op.reference(std::slice::from_ref(&x)).unwrap().remove(1);
        assert_eq!(indices.as_slice::<i64>().unwrap(), wanted);
        check(op, std::slice::from_ref(&x), true);
    }
}

/// The ends of 32 bits, small numbers and ties, of every type that has them.
#[test]
fn integers_and_booleans() {
    let numbers = [3, i32::MIN, 3, i32::MAX, -1, 16_777_217, 16_777_216, 0, -1].map(i64::from);
    for dtype in [DType::I32, DType::I64, DType::U32, DType::I8, DType::U8, DType::I16, DType::U16, DType::Bool] {
        let x = Tensor::from(numbers).to_dtype(dtype);
        let values = x.to_i64s().unwrap();
        for smallest in [false, true] {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by_key(|&k| if smallest { values[k] } else { !values[k] });
            let op = TopK { axis: 0, k: 5, smallest };
            let y = op.reference(std::slice::from_ref(&x)).unwrap();
            assert_eq!(y[0].dtype(), dtype);
            assert_eq!(
                y[0].to_i64s().unwrap(),
                order.iter().take(5).map(|&k| values[k]).collect::<Vec<_>>(),
                "{dtype}"
            );
            assert_eq!(y[1].to_i64s().unwrap(), order.iter().take(5).map(|&k| k as i64).collect::<Vec<_>>(), "{dtype}");
            check(op, std::slice::from_ref(&x), true);
        }
    }
}

/// `torch.topk([1, 5, 2, 5, -3], 3)` with equal values in their order, as in ONNX.
#[test]
fn values_and_indices() {
    let x = Tensor::new([5], vec![1.0, 5.0, 2.0, 5.0, -3.0]).unwrap();
    for (smallest, values, indices) in [(false, [5.0, 5.0, 2.0], [1, 3, 2]), (true, [-3.0, 1.0, 2.0], [4, 0, 2])] {
        let y = TopK { axis: 0, k: 3, smallest }.reference(std::slice::from_ref(&x)).unwrap();
        assert_eq!(y[0].as_f32().unwrap(), values);
        assert_eq!(y[1].to_i64s().unwrap(), indices);
    }
    assert!(TopK { axis: 0, k: 6, smallest: false }.outputs(&[Desc::f32([5])]).is_err());
    assert!(TopK { axis: 1, k: 1, smallest: false }.outputs(&[Desc::f32([5])]).is_err());
}

pub fn pytorch(case: &Case) {
    let axis = case.axis("dim", case.tensor("x").shape().len());
    let op = TopK { axis, k: case.usize("k"), smallest: !case.bool("largest") };
    check_golden(case, op, &case.input_tensors(), &[case.tensor("values").clone(), case.indices("indices")]);
}

/// An invocation compares a value with all others: that has an end on a device.
#[test]
fn a_set_that_is_too_long_is_refused() {
    let caps = Caps::webgpu_default();
    let planned = |n: usize| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([n])).unwrap();
        let y = graph.add("y", TopK { axis: 0, k: 1, smallest: false }, &[x]).unwrap()[0];
        graph.output("y", y);
        Plan::new(&graph, &caps, &PlanOptions::default()).map(drop)
    };
    assert!(planned(1 << 16).is_ok());
    let refused = planned((1 << 16) + 1).unwrap_err();
    assert!(refused.kind() == ErrorKind::Unsupported && refused.to_string().contains("at most 65536"), "{refused}");
}

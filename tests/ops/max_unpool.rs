use convgpu::custom::Op;
use convgpu::internals::ops::max_unpool::MaxUnpool;
use convgpu::{DType, Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_golden};

fn indices(rng: &mut Rng, shape: &[usize], size: usize) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(shape, (0..n).map(|_| rng.int(0, size - 1) as i64).collect::<Vec<_>>()).unwrap()
}

/// Of several values for a place the last one has it, in every run.
#[test]
fn values_go_to_their_places() {
    let mut rng = Rng(1);
    for (x, shape, planes) in [
        (&[2, 3, 4, 5][..], &[2, 3, 9, 7][..], 6),
        (&[2, 3, 4, 5], &[2, 3, 9, 7], 1),
        (&[1, 1, 300, 7], &[1, 1, 2, 3], 1),
        (&[3, 2, 40], &[3, 2, 11], 6),
        (&[1, 2, 3, 4, 5], &[1, 2, 5, 6, 7], 1),
    ] {
        let op = MaxUnpool { shape: shape.to_vec(), planes };
        check(op, &[rng.tensor(x), indices(&mut rng, x, shape.iter().product::<usize>() / planes)], true);
    }
}

#[test]
fn a_case_by_hand() {
    let x = Tensor::new([1, 2, 2], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let i = Tensor::new([1, 2, 2], vec![2i64, 0, 1, 1]).unwrap();
    let y = |planes| MaxUnpool { shape: vec![1, 2, 3], planes }.reference(&[x.clone(), i.clone()]).unwrap().remove(0);
    assert_eq!(y(2).as_f32().unwrap(), [2.0, 0.0, 1.0, 0.0, 4.0, 0.0]);
    assert_eq!(y(1).as_f32().unwrap(), [2.0, 4.0, 1.0, 0.0, 0.0, 0.0]);
}

/// Every bit of a value stays: NaN, infinities, subnormal numbers.
#[test]
fn values_are_copies() {
    let x = Tensor::from([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -0.0, f32::MAX]);
    let op = MaxUnpool { shape: vec![9], planes: 1 };
    check(op, &[x, Tensor::from([8i32, 1, 0, 3, 5, 7])], true);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let op = |shape: &[usize], planes| MaxUnpool { shape: shape.to_vec(), planes };
    let kind = |op: MaxUnpool, x: &[usize], i: &[usize], dtype| {
        op.outputs(&[Desc::f32(x.to_vec()), Desc::new(i.to_vec(), dtype)]).err().map(|e| e.kind())
    };
    assert_eq!(kind(op(&[2, 6], 2), &[2, 3], &[2, 3], DType::I64), None);
    assert_eq!(kind(op(&[2, 6], 2), &[2, 3], &[3, 2], DType::I64), Some(ErrorKind::Shape));
    assert_eq!(kind(op(&[2, 6], 2), &[2, 3], &[2, 3], DType::F32), Some(ErrorKind::Shape));
    assert_eq!(kind(op(&[2, 5], 4), &[2, 4], &[2, 4], DType::I64), Some(ErrorKind::Shape));
    assert_eq!(kind(op(&[2, 5], 2), &[2, 0], &[2, 0], DType::I64), Some(ErrorKind::Shape));
    assert_eq!(kind(op(&[2, 5], 0), &[2, 2], &[2, 2], DType::I64), Some(ErrorKind::Shape));
    for index in [-1i64, 6] {
        let e = op(&[2, 6], 2).reference(&[Tensor::zeros([2, 1]), Tensor::new([2, 1], vec![0, index]).unwrap()]);
        assert_eq!(e.unwrap_err().to_string(), format!("index {index} is outside a plane of 6"));
    }
    check(op(&[0, 3], 1), &[Tensor::zeros([0, 2]), Tensor::full([0, 2], 0i64)], true);
}

pub fn pytorch(case: &Case) {
    let out = case.out();
    let shape = out[0].shape().to_vec();
    let op = MaxUnpool { planes: shape[0] * shape[1], shape };
    check_golden(case, op, &[case.tensor("x").clone(), case.indices("indices")], &out);
}

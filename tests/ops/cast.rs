use convgpu::custom::Op;
use convgpu::internals::ops::cast::Cast;
use convgpu::{DType, Tensor};

use crate::support::check;

const TYPES: [DType; 4] = [DType::F32, DType::I32, DType::I64, DType::Bool];

#[test]
fn between_all_types() {
    let floats = vec![0.0f32, -0.0, 0.5, -0.5, 1.99, -1.99, 7.0, -16777216.0, 0.001, 123456.7, 3.0];
    let ints = vec![0i32, 1, -1, 2, 16777217, -33554435, i32::MAX, i32::MIN, 5, 6, 7];
    let wide = ints.iter().map(|&v| i64::from(v)).collect::<Vec<_>>();
    let bools = ints.iter().map(|v| v % 2 == 0).collect::<Vec<_>>();
    for to in TYPES {
        check(Cast { to }, &[Tensor::new([11], floats.clone()).unwrap()], true);
        check(Cast { to }, &[Tensor::new([1, 11], ints.clone()).unwrap()], false);
        check(Cast { to }, &[Tensor::new([11, 1], wide.clone()).unwrap()], false);
        check(Cast { to }, &[Tensor::new([11], bools.clone()).unwrap()], true);
        check(Cast { to }, &[Tensor::zeros([2, 0])], true);
    }
}

#[test]
fn beyond_the_range_is_the_nearest_integer() {
    let x = Tensor::new([5], vec![f32::NAN, 3e9, -3e9, f32::INFINITY, f32::NEG_INFINITY]).unwrap();
    check(Cast { to: DType::I32 }, std::slice::from_ref(&x), true);
    check(Cast { to: DType::Bool }, std::slice::from_ref(&x), true);
    let y = Cast { to: DType::I32 }.reference(&[x]).unwrap().remove(0);
    assert_eq!(y.to_i64s().unwrap(), [0, i32::MAX, i32::MIN, i32::MAX, i32::MIN].map(i64::from));
}

/// Of an integer with more than 24 bits a device may take either neighbour among the floats; all other casts are exact.
#[test]
fn bounds_of_long_integers() {
    let bound = |x: Tensor, to: DType| {
        let op = Cast { to };
        let y = op.reference(std::slice::from_ref(&x)).unwrap();
        op.bounds(std::slice::from_ref(&x), &y).unwrap().unwrap().remove(0)
    };
    assert_eq!(bound(Tensor::from([1i64 << 24, 1 << 25, 77]), DType::F32), [1.0, 2.0, 0.0]);
    assert_eq!(bound(Tensor::from([1i64 << 24, 77]), DType::BF16), [(1 << 17) as f32, 0.0]);
    assert_eq!(bound(Tensor::from([3e9f32, 1.5]), DType::I64), [0.0; 2]);
    assert_eq!(bound(Tensor::from([3e9f32, 1.5]), DType::F32), [0.0; 2]);
    assert_eq!(bound(Tensor::from([1i64 << 40]), DType::I32), [0.0]);
}

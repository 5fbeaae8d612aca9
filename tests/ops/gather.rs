use convgpu::custom::Op;
use convgpu::internals::ops::gather::Gather;
use convgpu::{DType, Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn gather_is_exact() {
    let x = Rng(1).tensor(&[3, 5, 4]);
    let scalar = Tensor::new([], vec![2i64]).unwrap();
    let list = Tensor::new([4], vec![0i32, -1, 2, -3]).unwrap();
    let table = Tensor::new([2, 3], vec![1i64, 1, 0, -1, 2, -2]).unwrap();
    let none = Tensor::new([0], Vec::<i64>::new()).unwrap();
    for axis in 0..3 {
        for indices in [&scalar, &list, &table, &none] {
            check(Gather { axis }, &[x.clone(), indices.clone()], true);
        }
    }
    let ints = Tensor::new([3, 2], vec![1i64, -2, 3, 4, 5, -6]).unwrap();
    check(Gather { axis: 0 }, &[ints, table], true);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (x, indices) = (Desc::f32([2, 3]), Desc::new([2], DType::I64));
    assert!(Gather { axis: 2 }.outputs(&[x.clone(), indices.clone()]).is_err());
    assert!(Gather { axis: 0 }.outputs(&[x, Desc::f32([2])]).is_err());
    assert!(Gather { axis: 0 }.outputs(&[Desc::f32([0, 3]), indices]).is_err());
    let outside = Tensor::new([1], vec![-4i64]).unwrap();
    assert!(Gather { axis: 0 }.reference(&[Tensor::zeros([3]), outside]).is_err());
}

pub fn pytorch(case: &Case) {
    let x = case.tensor("x");
    let op = Gather { axis: case.axis("dim", x.shape().len()) };
    check_golden(case, op.clone(), &[x.clone(), case.indices("index")], &case.out());
    check_golden(case, op, &case.input_tensors(), &case.out());
}

use convgpu::custom::Op;
use convgpu::internals::ops::local_response_norm::LocalResponseNorm;
use convgpu::{Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn random_cases_within_bounds() {
    let shapes: [&[usize]; 5] = [&[2, 7, 3, 5], &[1, 1, 4], &[3, 6], &[2, 65, 2, 3], &[1, 3, 2, 3, 2]];
    for shape in shapes {
        for size in [1, 2, 4, 5, 9] {
            let x = Rng(size as u64).tensor(shape);
            check(LocalResponseNorm::pytorch(size, 1e-2, 0.75, 1.0), std::slice::from_ref(&x), false);
            check(LocalResponseNorm::onnx(size, 2.0, 0.5, 0.3), std::slice::from_ref(&x), false);
            check(LocalResponseNorm::onnx(size, 300.0, 1.25, 7.0), &[x], false);
        }
    }
    check(LocalResponseNorm::onnx(3, 1.0, 0.75, 1.0), &[Tensor::zeros([2, 0, 3])], true);
}

#[test]
fn even_windows_lean_as_their_framework_says() {
    let x = Tensor::new([1, 3, 1], vec![1.0, 2.0, 4.0]).unwrap();
    let middle = |op: LocalResponseNorm| op.reference(std::slice::from_ref(&x)).unwrap()[0].as_f32().unwrap()[1];
    assert_eq!(middle(LocalResponseNorm::pytorch(2, 2.0, 1.0, 1.0)), 2.0 / (1.0 + 1.0 + 4.0));
    assert_eq!(middle(LocalResponseNorm::onnx(2, 2.0, 1.0, 1.0)), 2.0 / (1.0 + 4.0 + 16.0));
}

#[test]
fn windows_that_cannot_be_are_refused() {
    let x = [Desc::f32([2, 3, 4])];
    assert!(LocalResponseNorm::pytorch(0, 1.0, 1.0, 1.0).outputs(&x).is_err());
    assert!(LocalResponseNorm::onnx(0, 1.0, 1.0, 1.0).outputs(&x).is_err());
    assert!(LocalResponseNorm::onnx(3, 1.0, 1.0, 0.0).outputs(&x).is_err());
    assert!(LocalResponseNorm::onnx(3, 1.0, 1.0, 1.0).outputs(&[Desc::f32([2])]).is_err());
}

pub fn pytorch(case: &Case) {
    let op = LocalResponseNorm::pytorch(case.usize("size"), case.f32("alpha"), case.f32("beta"), case.f32("k"));
    check_golden(case, op, &case.input_tensors(), &case.out());
}

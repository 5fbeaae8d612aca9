use convgpu::custom::Op;
use convgpu::internals::attr::Window;
use convgpu::internals::ops::fold::Fold;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_golden};

fn window(kernel: [usize; 2], stride: [usize; 2], padding: [[usize; 2]; 2], dilation: [usize; 2]) -> Window {
    Window { kernel, stride, padding, dilation }
}

/// Windows that overlap, touch, leave gaps, lie in the padding, with the size of the image they fit, and one that they do not.
fn cases() -> Vec<(Fold, [usize; 2])> {
    let fold = |window: Window, size: [usize; 2]| {
        let places = [0, 1].map(|axis| window.outputs(axis, size[axis]).unwrap());
        (Fold { window, size }, places)
    };
    vec![
        fold(window([3, 2], [1, 1], [[0; 2]; 2], [1, 1]), [7, 5]),
        fold(window([3, 2], [3, 2], [[0; 2]; 2], [1, 1]), [9, 8]),
        fold(window([2, 3], [3, 5], [[1, 0], [2, 1]], [1, 1]), [8, 11]),
        fold(window([3, 3], [2, 1], [[2, 1], [0, 3]], [2, 3]), [9, 10]),
        fold(window([1, 1], [1, 1], [[0; 2]; 2], [1, 1]), [4, 3]),
        fold(window([5, 1], [1, 1], [[4, 4], [0, 0]], [1, 1]), [1, 6]),
    ]
}

fn input(n: usize, c: usize, fold: &Fold, places: [usize; 2]) -> [usize; 3] {
    [n, c * fold.window.taps(), places[0] * places[1]]
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(1);
    for (fold, places) in cases() {
        for (n, c) in [(1, 1), (2, 5)] {
            let shape = input(n, c, &fold, places);
            check(fold.clone(), &[rng.tensor(&shape)], false);
            check(fold.clone(), &[rng.integers(&shape)], true);
        }
    }
}

/// Every pixel of a sum of windows of ones counts the windows that it is in.
#[test]
fn ones_count_the_windows() {
    let op = Fold { window: window([2, 2], [1, 1], [[0; 2]; 2], [1, 1]), size: [3, 4] };
    let y = op.reference(&[Tensor::full([1, 4, 6], 1.0f32)]).unwrap().remove(0);
    assert_eq!(y.as_f32().unwrap(), [1.0, 2.0, 2.0, 1.0, 2.0, 4.0, 4.0, 2.0, 1.0, 2.0, 2.0, 1.0]);
    let apart = Fold { window: window([1, 1], [2, 3], [[0; 2]; 2], [1, 1]), size: [3, 4] };
    let x = Tensor::new([1, 1, 4], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let y = apart.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    assert_eq!(y.as_f32().unwrap(), [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 4.0]);
    check(apart, &[x], true);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let op = |kernel, size| Fold { window: window(kernel, [1, 1], [[0; 2]; 2], [1, 1]), size };
    let kind = |op: Fold, x: &[usize]| op.outputs(&[Desc::f32(x.to_vec())]).err().map(|e| e.kind());
    assert_eq!(kind(op([2, 2], [3, 4]), &[1, 4, 6]), None);
    assert_eq!(kind(op([2, 2], [3, 4]), &[1, 4, 5]), Some(ErrorKind::Shape));
    assert_eq!(kind(op([2, 2], [3, 4]), &[1, 5, 6]), Some(ErrorKind::Shape));
    assert_eq!(kind(op([2, 2], [3, 4]), &[4, 6]), Some(ErrorKind::Shape));
    assert_eq!(kind(op([4, 2], [3, 4]), &[1, 8, 6]), Some(ErrorKind::Shape));
    assert_eq!(kind(op([0, 2], [3, 4]), &[1, 4, 6]), Some(ErrorKind::Argument));
    check(op([2, 2], [3, 4]), &[Tensor::zeros([0, 4, 6])], true);
    check(op([2, 2], [3, 4]), &[Tensor::zeros([2, 0, 6])], true);
}

pub fn pytorch(case: &Case) {
    let [py, px] = case.pair("padding");
    let padding = [[py; 2], [px; 2]];
    let window = window(case.pair("kernel_size"), case.pair("stride"), padding, case.pair("dilation"));
    check_golden(case, Fold { window, size: case.pair("output_size") }, &case.input_tensors(), &case.out());
}

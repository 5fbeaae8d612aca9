use convgpu::custom::Op;
use convgpu::internals::ops::det::Det;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_golden};

fn value(x: &Tensor) -> Vec<f32> {
    Det.reference(std::slice::from_ref(x)).unwrap()[0].as_f32().unwrap().to_vec()
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(1);
    for n in [1, 2, 3, 4, 5, 8, 13, 32] {
        check(Det, &[rng.tensor(&[2, 3, n, n])], false);
        check(Det, &[rng.tensor(&[n, n])], false);
    }
}

/// Powers of two as pivots: every step is exact.
#[test]
fn triangles_are_exact() {
    let mut rng = Rng(2);
    for n in [1, 2, 3, 7, 20] {
        let mut values = rng.integers(&[n, n]).as_f32().unwrap().to_vec();
        for (row, column) in (0..n * n).map(|i| (i / n, i % n)) {
            match row.cmp(&column) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => values[row * n + column] = [2.0, -1.0, 0.5, 4.0][rng.int(0, 3)],
                std::cmp::Ordering::Greater => values[row * n + column] = 0.0,
            }
        }
        // The rows in the other order, so that all are exchanged.
        let turned: Vec<f32> = values.chunks(n).rev().flatten().copied().collect();
        check(Det, &[Tensor::new([n, n], values).unwrap()], true);
        check(Det, &[Tensor::new([n, n], turned).unwrap()], true);
    }
}

#[test]
fn cases_by_hand() {
    let of = |n: usize, values: &[f32]| value(&Tensor::new([n, n], values.to_vec()).unwrap())[0];
    assert_eq!(of(2, &[1.0, 2.0, 3.0, 4.0]), -2.0);
    assert_eq!(of(2, &[0.0, 2.0, 3.0, 0.0]), -6.0);
    assert_eq!(of(3, &[2.0, 0.0, 1.0, 0.0, 3.0, 0.0, 1.0, 0.0, 2.0]), 9.0);
    assert_eq!(of(3, &[1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 7.0, 8.0, 9.0]), 0.0);
    assert_eq!(value(&Tensor::zeros([3, 0, 0])), [1.0; 3]);
}

/// A matrix without a rank, zeros, a NaN anywhere, small and large pivots.
#[test]
fn hard_matrices() {
    let zeros = Tensor::zeros([2, 3, 3]);
    let mut values = Rng(3).tensor(&[9, 3, 3]).as_f32().unwrap().to_vec();
    (0..9).for_each(|k| values[9 * k + k] = f32::NAN);
    // Beside the NaN zeros alone.
    values[..9].copy_from_slice(&[0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let nans = Tensor::new([9, 3, 3], values).unwrap();
    assert!(value(&nans).iter().all(|v| v.is_nan()), "{:?}", value(&nans));
    let ranks = Tensor::new([4, 4], (0..16).map(|i| (i / 4 * (i % 4)) as f32).collect::<Vec<_>>()).unwrap();
    let scales = Tensor::from([[1e-30f32, 1e-20], [1e20, 3e19]]);
    for x in [zeros, nans, ranks, scales, Tensor::zeros([3, 0, 0])] {
        check(Det, &[x], false);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let kind = |x: &[usize]| Det.outputs(&[Desc::f32(x.to_vec())]).err().map(|e| e.kind());
    assert_eq!([kind(&[2, 32, 32]), kind(&[0, 0])], [None, None]);
    assert_eq!(kind(&[3]), Some(ErrorKind::Shape));
    assert_eq!(kind(&[2, 3, 4]), Some(ErrorKind::Shape));
    assert_eq!(kind(&[33, 33]), Some(ErrorKind::Unsupported));
    check(Det, &[Tensor::zeros([0, 3, 3])], true);
}

pub fn pytorch(case: &Case) {
    check_golden(case, Det, &case.input_tensors(), &case.out());
}

use convgpu::custom::Op;
use convgpu::internals::attr::Window;
use convgpu::internals::ops::deform_columns::DeformColumns;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::support::{Rng, check};

fn op(
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
    dilation: [usize; 2],
    groups: usize,
) -> DeformColumns {
    DeformColumns { window: Window { kernel, stride, padding, dilation }, groups }
}

/// x, offsets and a mask; offsets of some pixels, some whole, some far.
fn inputs(rng: &mut Rng, op: &DeformColumns, x: [usize; 4]) -> [Tensor; 3] {
    let [oh, ow] = [0, 1].map(|axis| op.window.outputs(axis, x[2 + axis]).unwrap());
    let masks = [x[0], op.groups * op.window.taps(), oh, ow];
    let offsets = [x[0], 2 * masks[1], oh, ow];
    let count = offsets.iter().product();
    let offset = (0..count).map(|_| match rng.int(0, 9) {
        0 => rng.float().round() * 2.0,
        1 => rng.float() * 40.0,
        2 => [1e9, -1e9, f32::MAX, f32::INFINITY, f32::NEG_INFINITY][rng.int(0, 4)],
        _ => rng.float() * 3.0,
    });
    let offset = Tensor::new(offsets, offset.collect::<Vec<_>>()).unwrap();
    [rng.tensor(&x), offset, rng.tensor(&masks)]
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(1);
    for (op, x) in [
        (op([3, 2], [1, 1], [[1, 1], [0, 1]], [1, 1], 1), [2, 3, 7, 5]),
        (op([2, 3], [2, 1], [[0, 2], [3, 0]], [1, 2], 3), [2, 6, 9, 8]),
        (op([1, 1], [1, 1], [[0; 2]; 2], [1, 1], 2), [1, 4, 5, 6]),
        (op([3, 3], [2, 3], [[1; 2]; 2], [2, 1], 5), [1, 5, 8, 9]),
    ] {
        let all = inputs(&mut rng, &op, x);
        check(op.clone(), &all[..2], false);
        check(op, &all, false);
    }
}

/// Quarters of pixels have exact weights, and no offset those of a window.
#[test]
fn integers_are_exact() {
    let mut rng = Rng(2);
    let op = op([2, 3], [1, 2], [[1, 0], [1, 1]], [1, 1], 1);
    let x = rng.integers(&[2, 3, 6, 7]);
    let shape = [2, 12, 6, 4];
    let quarters = (0..576).map(|_| rng.int(0, 32) as f32 / 4.0 - 4.0).collect::<Vec<_>>();
    check(op.clone(), &[x.clone(), Tensor::new(shape, quarters).unwrap()], true);
    let still = op.reference(&[x.clone(), Tensor::zeros(shape)]).unwrap().remove(0);
    let at = |t: &Tensor, index: &[usize]| t.get::<f32>(index).unwrap();
    for (tap, (ky, kx)) in (0..6usize).map(|tap| (tap, (tap / 3, tap % 3))) {
        for (oy, ox) in (0..24usize).map(|i| (i / 4, i % 4)) {
            let (iy, ix) = ((oy + ky).wrapping_sub(1), (2 * ox + kx).wrapping_sub(1));
            let wanted = if iy < 6 && ix < 7 { at(&x, &[1, 2, iy, ix]) } else { 0.0 };
            assert_eq!(at(&still, &[1, 12 + tap, oy, ox]), wanted, "tap {tap} of {oy}, {ox}");
        }
    }
}

/// Beside an infinite pixel there are numbers, and a NaN among the offsets is one in the result.
#[test]
fn numbers_that_are_not_finite() {
    let op = op([1, 1], [1, 1], [[0; 2]; 2], [1, 1], 1);
    let x = Tensor::new([1, 1, 1, 4], vec![1.0f32, f32::INFINITY, 2.0, 3.0]).unwrap();
    let offset = vec![0.0f32, 0.0, 0.0, f32::NAN, 0.0, 1.0, 0.0, 0.0];
    let inputs = [x, Tensor::new([1, 2, 1, 4], offset).unwrap()];
    let y = op.reference(&inputs).unwrap().remove(0);
    assert_eq!(y.as_f32().unwrap()[..3], [1.0, 2.0, 2.0]);
    assert!(y.as_f32().unwrap()[3].is_nan());
    check(op, &inputs, false);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let kind = |op: DeformColumns, shapes: &[&[usize]]| {
        let descs: Vec<_> = shapes.iter().map(|s| Desc::f32(s.to_vec())).collect();
        op.outputs(&descs).err().map(|e| e.kind())
    };
    let of = |groups| op([2, 2], [1, 1], [[0; 2]; 2], [1, 1], groups);
    let x: &[usize] = &[1, 4, 3, 5];
    assert_eq!(kind(of(2), &[x, &[1, 16, 2, 4], &[1, 8, 2, 4]]), None);
    assert_eq!(kind(of(1), &[x, &[1, 16, 2, 4]]), Some(ErrorKind::Shape));
    assert_eq!(kind(of(2), &[x, &[1, 16, 2, 3]]), Some(ErrorKind::Shape));
    assert_eq!(kind(of(2), &[x, &[1, 16, 2, 4], &[1, 4, 2, 4]]), Some(ErrorKind::Shape));
    assert_eq!(kind(of(3), &[x, &[1, 24, 2, 4]]), Some(ErrorKind::Shape));
    assert_eq!(kind(of(0), &[x, &[1, 0, 2, 4]]), Some(ErrorKind::Shape));
    check(of(2), &[Tensor::zeros([0, 4, 3, 5]), Tensor::zeros([0, 16, 2, 4])], true);
}

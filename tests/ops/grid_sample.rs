use convgpu::custom::Op;
use convgpu::internals::attr::{GridSampleMode, GridSamplePadding};
use convgpu::internals::conformance::Params;
use convgpu::internals::ops::grid_sample::GridSample;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_channels_last_with, check_golden};

use GridSampleMode::{Bicubic, Bilinear, Nearest};
use GridSamplePadding::{Border, Reflection, Zeros};

/// Every mode with every padding, corners aligned or not; volumes are not sampled bicubically.
fn all(axes: usize) -> impl Iterator<Item = GridSample> {
    let modes: &[GridSampleMode] = if axes == 2 { &[Bilinear, Nearest, Bicubic] } else { &[Bilinear, Nearest] };
    modes.iter().flat_map(|&mode| {
        [Zeros, Border, Reflection].into_iter().flat_map(move |padding_mode| {
            [false, true].map(|align_corners| GridSample { mode, padding_mode, align_corners })
        })
    })
}

/// Coordinates within an image and about it, some far from it.
fn grid(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    let value = |rng: &mut Rng| match rng.int(0, 9) {
        0 => [-1.0, 1.0, 0.0][rng.int(0, 2)],
        1 => rng.float() * 9.0,
        _ => rng.float() * 1.3,
    };
    Tensor::new(shape, (0..n).map(|_| value(rng)).collect::<Vec<f32>>()).unwrap()
}

/// Points given by pixel, of an image of 8 x 4 pixels whose corners are not aligned: the grid's values are exact.
fn at(points: &[[f32; 2]]) -> Tensor {
    let values = points.iter().flat_map(|&[y, x]| [(2.0 * x + 1.0) / 4.0 - 1.0, (2.0 * y + 1.0) / 8.0 - 1.0]);
    Tensor::new([1, 1, points.len(), 2], values.collect::<Vec<_>>()).unwrap()
}

/// An image of 8 x 4 pixels whose values are 10 times the row, plus the column.
fn image() -> Tensor {
    Tensor::new([1, 1, 8, 4], (0..32).map(|i| (10 * (i / 4) + i % 4) as f32).collect::<Vec<_>>()).unwrap()
}

fn sampled(op: &GridSample, x: &Tensor, grid: &Tensor) -> Vec<f32> {
    op.reference(&[x.clone(), grid.clone()]).unwrap()[0].as_f32().unwrap().to_vec()
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(1);
    for op in all(2) {
        for c in [1, 5, 21] {
            check(op.clone(), &[rng.tensor(&[2, c, 7, 9]), grid(&mut rng, &[2, 5, 11, 2])], false);
        }
    }
    for op in all(3) {
        for c in [1, 5, 21] {
            check(op.clone(), &[rng.tensor(&[2, c, 3, 7, 5]), grid(&mut rng, &[2, 2, 3, 7, 3])], false);
        }
    }
}

/// Quarters between pixels have exact weights.
#[test]
fn integers_between_pixels_are_exact() {
    let mut rng = Rng(2);
    let quarters = (0..60).map(|_| [rng.int(0, 44) as f32 / 4.0 - 2.0, rng.int(0, 28) as f32 / 4.0 - 2.0]);
    let points = at(&quarters.collect::<Vec<_>>());
    let x = Rng(3).integers(&[1, 5, 8, 4]);
    for padding_mode in [Zeros, Border, Reflection] {
        let op = GridSample { mode: Bilinear, padding_mode, align_corners: false };
        check(op, &[x.clone(), points.clone()], true);
    }
}

/// Where one pixel alone is right the bound is 0: a quarter of a pixel from a tie, and at ties whose coordinates are exact.
#[test]
fn nearest_pixels_are_copies() {
    let mut rng = Rng(4);
    let quarters = (0..60).map(|_| {
        let place = |rng: &mut Rng, n: usize| rng.int(0, n + 4) as f32 - 2.0 + [-0.25, 0.0, 0.25, 0.5][rng.int(0, 3)];
        [place(&mut rng, 8), place(&mut rng, 4)]
    });
    let points = at(&quarters.collect::<Vec<_>>());
    let x = rng.tensor(&[1, 5, 8, 4]);
    for padding_mode in [Zeros, Border, Reflection] {
        let op = GridSample { mode: Nearest, padding_mode, align_corners: false };
        let inputs = [x.clone(), points.clone()];
        let y = op.reference(&inputs).unwrap();
        assert!(op.bounds(&inputs, &y).unwrap().unwrap()[0].iter().all(|b| *b == 0.0));
        check(op, &inputs, true);
    }
}

/// Where a coordinate may be on either side of a tie, either pixel is within the bound, and no other.
#[test]
fn a_tie_allows_both_pixels() {
    let op = GridSample { mode: Nearest, padding_mode: Zeros, align_corners: false };
    // 1.1 * 10 - 1/2 and 1.3 * 10 - 1/2 are ties but for the rounding of 0.1 and 0.3; the others are farther from one.
    let x = Tensor::new([1, 1, 1, 20], (0..20).map(|i| (3 * i + 5) as f32).collect::<Vec<_>>()).unwrap();
    let columns = [0.1f32, 0.3, 0.10001, -1.10001];
    let points = columns.iter().flat_map(|&g| [g, 0.0]).collect::<Vec<_>>();
    let inputs = [x, Tensor::new([1, 1, 4, 2], points).unwrap()];
    let y = op.reference(&inputs).unwrap();
    assert_eq!(y[0].as_f32().unwrap(), [38.0, 44.0, 38.0, 0.0]);
    let bounds = op.bounds(&inputs, &y).unwrap().unwrap().remove(0);
    assert_eq!(bounds[2..], [0.0, 0.0]);
    for (bound, difference) in bounds.iter().zip([3.0, 3.0]) {
        assert!(*bound >= difference && *bound < difference + 0.001, "{bounds:?}");
    }
    check(op, &inputs, false);
}

/// The error of a coordinate counts by the difference of the pixels: of a constant image only the weights round.
#[test]
fn a_constant_image_stays_constant() {
    let mut rng = Rng(5);
    for op in all(2).filter(|op| op.padding_mode != Zeros) {
        let inputs = [Tensor::full([1, 5, 700, 900], 7.0f32), grid(&mut rng, &[1, 5, 11, 2])];
        let y = op.reference(&inputs).unwrap();
        let bounds = op.bounds(&inputs, &y).unwrap().unwrap().remove(0);
        let most = if op.mode == Bicubic { 1e-4 } else { 1e-5 };
        assert!(bounds.iter().all(|b| *b < most), "{op:?}: {:?}", bounds.iter().copied().fold(0.0, f32::max));
        check(op, &inputs, false);
    }
}

/// Far coordinates, those that are not finite, and an axis of one pixel: numbers come from the image alone.
#[test]
fn no_coordinate_leaves_the_image() {
    let values =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1e20, -1e12, 3e9, -5e4, 1e-40, -1.0, 0.3];
    let pairs: Vec<f32> = values.iter().flat_map(|&a| values.iter().flat_map(move |&b| [a, b])).collect();
    let triples: Vec<f32> = pairs.chunks(2).flat_map(|pair| [pair[0], pair[1], pair[0]]).collect();
    let (pairs, triples) =
        (Tensor::new([1, 12, 12, 2], pairs).unwrap(), Tensor::new([1, 1, 12, 12, 3], triples).unwrap());
    let mut rng = Rng(6);
    for shape in [[1, 5, 7, 9], [1, 3, 1, 4], [1, 4, 1, 1]] {
        for op in all(2) {
            check(op, &[rng.tensor(&shape), pairs.clone()], false);
        }
        for op in all(3) {
            let volume = [1, shape[1], 2, shape[2], shape[3]];
            check(op, &[rng.tensor(&volume), triples.clone()], false);
        }
    }
}

/// What PyTorch's goldens do not have: volumes take a NaN at a border for pixel 0.
#[test]
fn coordinates_of_volumes_that_are_not_finite() {
    let x = Tensor::new([1, 1, 1, 1, 3], vec![1.0f32, 2.0, 3.0]).unwrap();
    let grid = Tensor::new([1, 1, 1, 2, 3], vec![f32::NAN, 0.0, 0.0, f32::INFINITY, 0.0, 0.0]).unwrap();
    for (padding_mode, wanted) in [(Zeros, [0.0, 0.0]), (Border, [1.0, 3.0]), (Reflection, [1.0, 1.0])] {
        for mode in [Bilinear, Nearest] {
            assert_eq!(sampled(&GridSample { mode, padding_mode, align_corners: true }, &x, &grid), wanted);
        }
    }
}

/// Rows and columns, the first coordinate being that of the column.
#[test]
fn coordinates_are_columns_before_rows() {
    let op = GridSample { mode: Bilinear, padding_mode: Border, align_corners: false };
    let points = at(&[[0.0, 3.0], [6.0, 1.0], [2.5, 0.25], [-9.0, 1.5], [9.0, 9.0]]);
    let wanted = [3.0, 61.0, 25.25, 1.5, 73.0];
    assert_eq!(sampled(&op, &image(), &points), wanted);
    check(op, &[image(), points], true);
}

#[test]
fn padding_lanes_stay_zero() {
    let shape = [2, 5, 7, 9];
    let nan = Tensor::full([2, 3, 4, 2], f32::NAN);
    for op in all(2).filter(|op| op.mode != Bicubic) {
        check_channels_last_with(op, shape, &[Tensor::full([2, 3, 4, 2], 0.0f32)]);
    }
    check_channels_last_with(GridSample { mode: Bicubic, padding_mode: Zeros, align_corners: true }, shape, &[nan]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let op = GridSample { mode: Bilinear, padding_mode: Zeros, align_corners: false };
    let kind = |op: &GridSample, x: &[usize], grid: &[usize]| {
        op.outputs(&[Desc::f32(x.to_vec()), Desc::f32(grid.to_vec())]).err().map(|e| e.kind())
    };
    for (x, grid) in [
        (&[2, 3, 4][..], &[2, 5, 1][..]),
        (&[2, 3, 4, 5], &[2, 5, 2]),
        (&[2, 3, 4, 5], &[1, 5, 5, 2]),
        (&[2, 3, 4, 5], &[2, 5, 5, 3]),
        (&[2, 3, 4, 5, 6], &[2, 5, 5, 5, 2]),
        (&[2, 3, 0, 5], &[2, 5, 5, 2]),
    ] {
        assert_eq!(kind(&op, x, grid), Some(ErrorKind::Shape), "{x:?} {grid:?}");
    }
    let bicubic = GridSample { mode: Bicubic, ..op.clone() };
    assert_eq!(kind(&bicubic, &[2, 3, 4, 5, 6], &[2, 5, 5, 5, 3]), Some(ErrorKind::Unsupported));
    assert!(op.outputs(&[Desc::f32([2, 3, 4, 5])]).is_err());
    check(op.clone(), &[Tensor::zeros([0, 2, 3, 4]), Tensor::zeros([0, 5, 6, 2])], true);
    check(op.clone(), &[Tensor::zeros([2, 0, 3, 4]), Tensor::zeros([2, 5, 6, 2])], true);
    check(op, &[Tensor::zeros([2, 2, 3, 4]), Tensor::zeros([2, 0, 6, 2])], true);
}

pub fn pytorch(case: &Case) {
    let p = Params::new(&case.op, case.params.clone());
    let (mode, padding_mode) = (p.grid_sample_mode("mode").unwrap(), p.grid_sample_padding("padding_mode").unwrap());
    let op = GridSample { mode, padding_mode, align_corners: case.bool("align_corners") };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

use convgpu::custom::Op;
use convgpu::internals::ops::roi_pool::RoiPool;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::roi_align::split;
use crate::support::{Case, Rng, check, check_channels_last_with, check_golden};

fn boxes(list: &[[f32; 4]]) -> Tensor {
    Tensor::new([list.len(), 4], list.concat()).unwrap()
}

fn images(list: &[i64]) -> Tensor {
    Tensor::new([list.len()], list.to_vec()).unwrap()
}

fn value(op: &RoiPool, inputs: &[Tensor]) -> Vec<f32> {
    op.reference(inputs).unwrap()[0].as_f32().unwrap().to_vec()
}

/// Maxima are copies: every number of channels, bins smaller than a pixel and larger ones, boxes in the image and about it.
#[test]
fn maxima_are_copies() {
    let mut rng = Rng(1);
    for (output, spatial_scale) in [([3, 2], 1.0), ([7, 7], 0.5), ([1, 5], 0.25), ([2, 3], 0.3)] {
        for c in [1, 5, 21] {
            let place = |rng: &mut Rng| (rng.float().abs() * 17.0 - 2.0) / spatial_scale;
            let corners = (0..6).map(|_| {
                let [a, b, c, d] = [(); 4].map(|()| place(&mut rng));
                [a.min(c), b.min(d), a.max(c), b.max(d)]
            });
            let list = boxes(&corners.collect::<Vec<_>>());
            let op = RoiPool { output, spatial_scale };
            check(op, &[rng.tensor(&[2, c, 13, 9]), list, images(&[0, 1, 1, 0, 1, 0])], true);
        }
    }
}

/// A row of 0 to 9 whose maxima are the last pixels of bins, and with the signs changed the first.
#[test]
fn bins_are_where_the_text_says() {
    let row: Vec<f32> = (0..10u8).map(f32::from).collect();
    let both = row.iter().copied().chain(row.iter().map(|v| -v)).collect::<Vec<_>>();
    let x = Tensor::new([1, 2, 1, 10], both).unwrap();
    let of = |bins: usize, x1: f32, x2: f32| {
        let op = RoiPool { output: [1, bins], spatial_scale: 0.5 };
        let inputs = [x.clone(), boxes(&[[2.0 * x1, 0.0, 2.0 * x2, 0.0]]), images(&[0])];
        check(op.clone(), &inputs, true);
        let y = value(&op, &inputs);
        (0..bins).map(|k| [-y[bins + k], y[k]]).collect::<Vec<_>>()
    };
    assert_eq!(of(2, 1.0, 4.0), [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(of(2, 1.0, 5.0), [[1.0, 3.0], [3.0, 5.0]]);
    assert_eq!(of(3, 4.0, 4.0), [[4.0, 4.0]; 3]);
    assert_eq!(of(4, 0.0, 9.0), [[0.0, 2.0], [2.0, 4.0], [5.0, 7.0], [7.0, 9.0]]);
    // Halves are rounded away from 0: the pixels 1 to 4, -1 to 3, and one pixel of a region that ends before it begins.
    assert_eq!(of(1, 0.5, 3.5), [[1.0, 4.0]]);
    assert_eq!(of(2, -0.5, 2.5), [[0.0, 1.0], [1.0, 3.0]]);
    assert_eq!(of(2, 6.0, 3.0), [[6.0, 6.0]; 2]);
    // Beyond the image there is nothing.
    assert_eq!(of(2, 8.0, 11.0), [[8.0, 9.0], [0.0, 0.0]]);
}

/// A NaN in a bin, infinities, far boxes, corners that are not finite.
#[test]
fn numbers_that_are_not_finite() {
    let mut values = Rng(2).tensor(&[1, 4, 5, 6]).as_f32().unwrap().to_vec();
    (values[7], values[40], values[70]) = (f32::NAN, f32::NEG_INFINITY, f32::INFINITY);
    let x = Tensor::new([1, 4, 5, 6], values).unwrap();
    let list = boxes(&[
        [0.0, 0.0, 5.0, 4.0],
        [f32::MIN, -1e9, f32::MAX, 1e9],
        [f32::NAN, 0.0, 3.0, 3.0],
        [0.0, 0.0, f32::INFINITY, 3.0],
        [4.0, 0.0, 4.0, 1.0],
    ]);
    check(RoiPool { output: [2, 3], spatial_scale: 1.0 }, &[x, list, images(&[0; 5])], true);
}

/// Where the product with the scale is as near a half as its rounding, both pixels are right, and nothing else.
#[test]
fn a_tie_allows_both_pixels() {
    let x = Tensor::new([1, 1, 1, 9], (0..9u8).map(|v| f32::from(v * v)).collect::<Vec<_>>()).unwrap();
    let bound = |x2: f32| {
        let op = RoiPool { output: [1, 1], spatial_scale: 0.1 };
        let inputs = [x.clone(), boxes(&[[0.0, 0.0, x2, 0.0]]), images(&[0])];
        check(op.clone(), &inputs, false);
        op.bounds(&inputs, &op.reference(&inputs).unwrap()).unwrap().unwrap()[0][0]
    };
    // 0.1 is no number of f32: 35 times it is 3.5 but for a rounding, 36 times it no tie.
    assert!((bound(35.0) - 7.0).abs() < 1e-3, "{}", bound(35.0));
    assert_eq!(bound(36.0), 0.0);
}

#[test]
fn padding_lanes_stay_zero() {
    for corner in [1.0, f32::NAN, 40.0] {
        let list = boxes(&[[corner, 1.0, 5.0, 5.0], [0.0, 2.0, 4.0, 4.0]]);
        check_channels_last_with(
            RoiPool { output: [3, 2], spatial_scale: 1.0 },
            [2, 5, 7, 9],
            &[list, images(&[1, 0])],
        );
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let op = RoiPool { output: [2, 2], spatial_scale: 1.0 };
    let descs = [Desc::f32([2, 3, 4, 5]), Desc::f32([3, 5]), Desc::new([3], convgpu::DType::I32)];
    assert_eq!(op.outputs(&descs).unwrap_err().kind(), ErrorKind::Shape);
    let e = RoiPool { output: [2, 0], ..op.clone() }.outputs(&[descs[0].clone(), Desc::f32([3, 4]), descs[2].clone()]);
    assert_eq!(e.unwrap_err().kind(), ErrorKind::Argument);
    let inputs = [Tensor::zeros([2, 3, 4, 5]), boxes(&[[0.0; 4]]), images(&[2])];
    assert_eq!(op.reference(&inputs).unwrap_err().to_string(), "a region of image 2 among 2");
    check(op, &[Tensor::zeros([0, 3, 4, 5]), Tensor::zeros([0, 4]), images(&[])], true);
}

pub fn pytorch(case: &Case) {
    let op = RoiPool { output: case.pair("output_size"), spatial_scale: case.f32("spatial_scale") };
    let [corners, images] = split(case.tensor("boxes"));
    check_golden(case, op, &[case.tensor("x").clone(), corners, images], &case.out());
}

use convgpu::custom::Op;
use convgpu::internals::attr::PoolKind;
use convgpu::internals::ops::roi_align::RoiAlign;
use convgpu::{Desc, ErrorKind, Tensor};

use crate::support::{Case, Rng, check, check_channels_last_with, check_golden};

use PoolKind::{Avg, Max};

/// Every kind, aligned or not, with a number of samples or one per pixel.
fn all(output: [usize; 2], spatial_scale: f32) -> impl Iterator<Item = RoiAlign> {
    [Avg, Max].into_iter().flat_map(move |kind| {
        [0, 1, 3].into_iter().flat_map(move |sampling_ratio| {
            [false, true].map(|aligned| RoiAlign { output, spatial_scale, sampling_ratio, aligned, kind })
        })
    })
}

fn boxes(list: &[[f32; 4]]) -> Tensor {
    Tensor::new([list.len(), 4], list.concat()).unwrap()
}

/// Boxes in an image of this size and about it.
fn random(rng: &mut Rng, k: usize, size: f32) -> Tensor {
    let place = |rng: &mut Rng| rng.float().abs() * 1.3 * size - 0.15 * size;
    let one = |rng: &mut Rng| {
        let [a, b, c, d] = [(); 4].map(|()| place(rng));
        [a.min(c), b.min(d), a.max(c), b.max(d)]
    };
    boxes(&(0..k).map(|_| one(rng)).collect::<Vec<_>>())
}

fn images(list: &[i64]) -> Tensor {
    Tensor::new([list.len()], list.to_vec()).unwrap()
}

fn value(op: &RoiAlign, inputs: &[Tensor]) -> Vec<f32> {
    op.reference(inputs).unwrap()[0].as_f32().unwrap().to_vec()
}

fn bounds(op: &RoiAlign, inputs: &[Tensor]) -> Vec<f32> {
    op.bounds(inputs, &op.reference(inputs).unwrap()).unwrap().unwrap().remove(0)
}

/// The number of the row, and ten times that of the column.
fn ramp(h: usize, w: usize) -> Tensor {
    Tensor::new([1, 1, h, w], (0..h * w).map(|i| (i / w + 10 * (i % w)) as f32).collect::<Vec<_>>()).unwrap()
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(1);
    for scale in [1.0, 0.25, 0.3] {
        for op in all([3, 2], scale) {
            for c in [1, 5, 21] {
                let x = rng.tensor(&[2, c, 13, 9]);
                check(op.clone(), &[x, random(&mut rng, 4, 12.0 / scale), images(&[0, 1, 1, 0])], false);
            }
        }
    }
}

/// Bins and samples of halves and quarters have exact weights.
#[test]
fn integers_are_exact() {
    let x = Rng(2).integers(&[2, 5, 12, 9]);
    let list = boxes(&[[0.0, 0.0, 4.0, 8.0], [1.5, 2.0, 5.5, 4.0], [-2.0, -3.0, 14.0, 13.0], [3.0, 3.0, 3.0, 3.0]]);
    for kind in [Avg, Max] {
        for sampling_ratio in [0, 2, 4] {
            for aligned in [false, true] {
                let op = RoiAlign { output: [4, 2], spatial_scale: 1.0, sampling_ratio, aligned, kind };
                check(op, &[x.clone(), list.clone(), images(&[0, 1, 1, 0])], true);
            }
        }
    }
}

/// The mean of a plane that is linear is its value in the middle of a bin, as long as all samples are in the image.
#[test]
fn bins_are_where_the_text_says() {
    let x = ramp(20, 30);
    let list = boxes(&[[4.0, 2.0, 16.0, 11.0], [3.5, 1.25, 9.5, 13.25]]);
    let middles = |aligned: bool, [x1, y1, x2, y2]: [f32; 4]| {
        let off = if aligned { 0.5 } else { 0.0 };
        let at = |low: f32, high: f32, o: usize, bins: f32| low - off + (o as f32 + 0.5) * (high - low) / bins;
        (0..6).map(|i| at(y1, y2, i / 2, 3.0) + 10.0 * at(x1, x2, i % 2, 2.0)).collect::<Vec<_>>()
    };
    for aligned in [false, true] {
        for sampling_ratio in [0, 1, 2, 5] {
            let op = RoiAlign { output: [3, 2], spatial_scale: 0.5, sampling_ratio, aligned, kind: Avg };
            let twice = Tensor::new([2, 4], list.as_f32().unwrap().iter().map(|v| 2.0 * v).collect::<Vec<_>>());
            let inputs = [x.clone(), twice.unwrap(), images(&[0, 0])];
            let wanted: Vec<_> =
                list.as_f32().unwrap().chunks(4).flat_map(|b| middles(aligned, b.try_into().unwrap())).collect();
            let y = value(&op, &inputs);
            assert!(y.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{op:?}: {y:?} for {wanted:?}");
            assert!(bounds(&op, &inputs).iter().all(|b| *b < 0.02), "{op:?}: {:?}", bounds(&op, &inputs));
        }
    }
}

/// A bin of 4 by 5 pixels has 20 samples; one of a pixel more than a pixel outside the image is 0, one nearer is the border.
#[test]
fn samples_are_as_many_as_pixels() {
    let op = RoiAlign { output: [1, 1], spatial_scale: 1.0, sampling_ratio: 0, aligned: true, kind: Avg };
    let x = Tensor::full([1, 1, 4, 4], 20.0f32);
    let of = |corners: [f32; 4]| value(&op, &[x.clone(), boxes(&[corners]), images(&[0])])[0];
    assert_eq!(of([-1.0, 0.0, 4.0, 4.0]), 20.0);
    // The first column is at -1.5.
    assert_eq!(of([-1.5, 0.0, 3.5, 4.0]), 16.0);
    assert_eq!(of([2.0, 2.0, 2.0, 2.0]), 0.0);
    assert_eq!(of([2.0, 2.0, 1.0, 3.0]), 0.0);
    let larger = RoiAlign { aligned: false, ..op };
    assert_eq!(value(&larger, &[x.clone(), boxes(&[[2.0, 2.0, 1.0, 3.0]]), images(&[0])]), [20.0]);
}

/// The bound has the results of both numbers of samples where the size rounds, and no more where it is exact.
#[test]
fn whole_pixels_are_certain_where_corners_are_exact() {
    let x = Rng(3).tensor(&[1, 1, 30, 30]);
    let op = |spatial_scale| RoiAlign { output: [7, 7], spatial_scale, sampling_ratio: 0, aligned: true, kind: Avg };
    let exact = bounds(&op(0.25), &[x.clone(), boxes(&[[8.0, 8.0, 64.0, 92.0]]), images(&[0])]);
    // Places, below 27 and 20, are 14 roundings off, which is 4e-5 along both axes; times the range of the pixels, below 4, and
    // 24 roundings of their sum.
    assert!(exact.iter().all(|b| *b < 1.7e-4), "{exact:?}");
    // 7 pixels by 0.1, which f32 has not.
    let inputs = [x, boxes(&[[30.0, 30.0, 100.0, 240.0]]), images(&[0])];
    let uncertain = bounds(&op(0.1), &inputs);
    assert!(uncertain.iter().filter(|b| **b > 1e-3).count() > 20, "{uncertain:?}");
    check(op(0.1), &inputs, false);
}

/// Boxes of all sizes, where the number of samples is a number of millions, and the samples in the image are few.
#[test]
fn large_boxes_visit_the_image_alone() {
    let x = Rng(4).tensor(&[1, 3, 6, 5]);
    let list = boxes(&[
        [-1000.0, -500.0, 1000.0, 700.0],
        [-3e5, -2e5, 1e5, 3e5],
        [-1e30, -1e30, 1e30, 1e30],
        [f32::MIN, 0.0, f32::MAX, 3.0],
        [1e9, 1e9, 2e9, 2e9],
    ]);
    for op in all([2, 3], 1.0) {
        let inputs = [x.clone(), list.clone(), images(&[0; 5])];
        assert!(value(&op, &inputs).iter().all(|v| v.is_finite()), "{op:?}");
        check(op, &inputs, false);
    }
}

#[test]
fn a_corner_that_is_not_finite_is_nan() {
    let x = Rng(5).tensor(&[2, 5, 6, 5]);
    let list = boxes(&[
        [f32::NAN, 0.0, 3.0, 3.0],
        [0.0, f32::INFINITY, 3.0, 3.0],
        [0.0, 0.0, f32::NEG_INFINITY, 3.0],
        [0.0, 0.0, 3.0, f32::NAN],
        [0.0, 0.0, 3.0, 3.0],
    ]);
    for op in all([2, 2], 1.0) {
        let inputs = [x.clone(), list.clone(), images(&[0, 1, 1, 0, 1])];
        let y = value(&op, &inputs);
        assert!(y[..80].iter().all(|v| v.is_nan()) && y[80..].iter().all(|v| v.is_finite()), "{op:?}: {y:?}");
        check(op, &inputs, false);
    }
}

#[test]
fn padding_lanes_stay_zero() {
    for (kind, corner) in [(Avg, 1.0), (Max, 1.0), (Avg, f32::NAN)] {
        let op = RoiAlign { output: [4, 2], spatial_scale: 1.0, sampling_ratio: 2, aligned: true, kind };
        let list = boxes(&[[corner, 1.0, 5.0, 5.0], [0.0, 2.0, 4.0, 4.0]]);
        check_channels_last_with(op, [2, 5, 7, 9], &[list, images(&[1, 0])]);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    use convgpu::DType::{F32, I64};
    let op = RoiAlign { output: [2, 2], spatial_scale: 1.0, sampling_ratio: 0, aligned: true, kind: Avg };
    let kind = |op: &RoiAlign, x: &[usize], boxes: &[usize], images: Desc| {
        op.outputs(&[Desc::f32(x.to_vec()), Desc::f32(boxes.to_vec()), images]).err().map(|e| e.kind())
    };
    let x = [2, 3, 4, 5];
    assert_eq!(kind(&op, &x, &[3, 4], Desc::new([3], I64)), None);
    for (x, boxes, images) in [
        (&[3, 4, 5][..], &[3, 4][..], Desc::new([3], I64)),
        (&x, &[3, 5], Desc::new([3], I64)),
        (&x, &[4], Desc::new([1], I64)),
        (&x, &[3, 4], Desc::new([2], I64)),
        (&x, &[3, 4], Desc::new([3], F32)),
        (&[2, 3, 0, 5], &[3, 4], Desc::new([3], I64)),
        (&[0, 3, 4, 5], &[3, 4], Desc::new([3], I64)),
    ] {
        assert_eq!(kind(&op, x, boxes, images), Some(ErrorKind::Shape), "{x:?} {boxes:?}");
    }
    for wrong in [
        RoiAlign { output: [0, 2], ..op.clone() },
        RoiAlign { spatial_scale: 0.0, ..op.clone() },
        RoiAlign { spatial_scale: f32::NAN, ..op.clone() },
    ] {
        assert_eq!(kind(&wrong, &x, &[3, 4], Desc::new([3], I64)), Some(ErrorKind::Argument), "{wrong:?}");
    }
    for image in [-1, 2] {
        let inputs = [Tensor::zeros(x), boxes(&[[0.0; 4]]), images(&[image])];
        let e = op.reference(&inputs).unwrap_err();
        assert_eq!(e.to_string(), format!("a region of image {image} among 2"));
    }
    check(op.clone(), &[Tensor::zeros([0, 3, 4, 5]), Tensor::zeros([0, 4]), images(&[])], true);
    check(op, &[Tensor::zeros([2, 0, 4, 5]), Tensor::zeros([1, 4]), images(&[1])], true);
}

/// The corners of boxes with the number of their image before them, and those numbers.
pub fn split(boxes: &Tensor) -> [Tensor; 2] {
    let rows: Vec<_> = boxes.as_f32().unwrap().chunks(5).collect();
    let corners = rows.iter().flat_map(|row| row[1..].iter().copied()).collect::<Vec<_>>();
    [Tensor::new([rows.len(), 4], corners).unwrap(), images(&rows.iter().map(|row| row[0] as i64).collect::<Vec<_>>())]
}

pub fn pytorch(case: &Case) {
    let op = RoiAlign {
        output: case.pair("output_size"),
        spatial_scale: case.f32("spatial_scale"),
        sampling_ratio: usize::try_from(case.i64("sampling_ratio")).unwrap_or(0),
        aligned: case.bool("aligned"),
        kind: Avg,
    };
    let [corners, images] = split(case.tensor("boxes"));
    check_golden(case, op, &[case.tensor("x").clone(), corners, images], &case.out());
}

use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::attr::{Coordinates, ResizeMode, Rounding};
use convgpu::internals::ops::resize::Resize2d;

use crate::support::{Case, Rng, check, check_channels_last, check_golden};

const ROUNDINGS: [Rounding; 5] = [
    Rounding::RoundPreferFloor,
    Rounding::RoundPreferCeil,
    Rounding::Floor,
    Rounding::Ceil,
    Rounding::CeilWhenShrinking,
];

const CROP: Coordinates = Coordinates::TfCropAndResize { roi: [-0.25, 0.1, 0.75, 1.2], extrapolation_value: 7.0 };

const COORDINATES: [Coordinates; 9] = [
    Coordinates::HalfPixel,
    Coordinates::HalfPixelSymmetric,
    Coordinates::PytorchHalfPixel,
    Coordinates::Asymmetric,
    Coordinates::AlignCorners,
    Coordinates::TfHalfPixelForNn,
    Coordinates::TorchHalfPixel,
    Coordinates::TorchAlignCorners,
    CROP,
];

/// A random size, with or without the scale that it comes from.
fn random(rng: &mut Rng, [ih, iw]: [usize; 2], mode: ResizeMode, coordinates: Coordinates) -> Resize2d {
    let scale = [0.3 + rng.int(0, 9) as f64 * 0.31, 0.4 + rng.int(0, 9) as f64 * 0.29];
    let size = [(ih as f64 * scale[0]) as usize, (iw as f64 * scale[1]) as usize].map(|n| n.max(1));
    let scale = (rng.int(0, 1) == 1).then_some(scale);
    Resize2d { scale, exclude_outside: rng.int(0, 1) == 1, ..Resize2d::new(size, mode, coordinates) }
}

#[test]
fn nearest_is_exact() {
    let mut rng = Rng(1);
    for coordinates in
        COORDINATES.into_iter().chain([Coordinates::TorchNearest { small: false }, Coordinates::TorchNearestExact])
    {
        for rounding in ROUNDINGS {
            let op = random(&mut rng, [7, 11], ResizeMode::Nearest(rounding), coordinates);
            check(op, &[rng.integers(&[2, 5, 7, 11])], true);
        }
    }
}

/// Integer factors have their own kernels; widths that are and are not a multiple of four.
#[test]
fn pixels_are_repeated() {
    let mut rng = Rng(3);
    for ([ih, iw], [ry, rx]) in
        [([3, 8], [3, 2]), ([5, 4], [1, 3]), ([2, 12], [4, 4]), ([3, 5], [2, 5]), ([4, 8], [2, 1])]
    {
        let mode = ResizeMode::Nearest(Rounding::Floor);
        let op = Resize2d::new([ih * ry, iw * rx], mode, Coordinates::TorchNearest { small: false });
        check(op.clone(), &[rng.integers(&[2, 5, ih, iw])], true);
        check_channels_last(op, [2, 5, ih, iw]);
    }
}

/// More channels than one invocation takes, not divided by as many.
#[test]
fn channels_share_their_taps() {
    let mut rng = Rng(4);
    for c in [6, 9, 37] {
        for mode in [ResizeMode::Linear, ResizeMode::Nearest(Rounding::Floor)] {
            let op = Resize2d::new([5, 9], mode, Coordinates::HalfPixel);
            check(op, &[rng.tensor(&[2, c, 3, 7])], false);
        }
    }
}

/// Doubling has weights of quarters, so integers stay exact.
#[test]
fn doubled_integers_are_exact() {
    let x = Rng(2).integers(&[2, 5, 7, 11]);
    check(Resize2d::new([14, 22], ResizeMode::Linear, Coordinates::HalfPixel), std::slice::from_ref(&x), true);
    check(Resize2d::new([13, 21], ResizeMode::Linear, Coordinates::AlignCorners), &[x], true);
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(3);
    for coordinates in COORDINATES {
        for mode in [ResizeMode::Linear, ResizeMode::Cubic(-0.75), ResizeMode::Cubic(-0.5)] {
            for antialias in [false, true] {
                let op = Resize2d { antialias, ..random(&mut rng, [9, 13], mode, coordinates) };
                check(op, &[rng.tensor(&[2, 5, 9, 13])], false);
            }
        }
    }
}

#[test]
fn padding_lanes_stay_zero() {
    let nearest = ResizeMode::Nearest(Rounding::Floor);
    let roi = [-0.25, 0.1, 0.75, 1.2];
    let crop = Coordinates::TfCropAndResize { roi, extrapolation_value: f32::INFINITY };
    check_channels_last(Resize2d::new([5, 17], nearest, crop), [2, 5, 9, 11]);
    check_channels_last(Resize2d::new([5, 17], nearest, crop), [1, 13, 9, 11]);
    check_channels_last(Resize2d::new([14, 22], ResizeMode::Linear, Coordinates::HalfPixel), [2, 5, 7, 11]);
}

/// One row 0, 1, 2, .. resized: a nearest mode then returns the indices of the chosen pixels.
fn picks(inputs: usize, outputs: usize, rounding: Rounding, coordinates: Coordinates) -> Vec<f32> {
    let x = Tensor::new([1, 1, 1, inputs], (0..inputs).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
    let op = Resize2d::new([1, outputs], ResizeMode::Nearest(rounding), coordinates);
    op.reference(&[x]).unwrap()[0].as_f32().unwrap().to_vec()
}

#[test]
fn halves_round_as_named() {
    // Coordinates 0.5, 2.5, 4.5.
    assert_eq!(picks(6, 3, Rounding::RoundPreferFloor, Coordinates::HalfPixel), [0.0, 2.0, 4.0]);
    assert_eq!(picks(6, 3, Rounding::RoundPreferCeil, Coordinates::HalfPixel), [1.0, 3.0, 5.0]);
    assert_eq!(picks(6, 3, Rounding::Floor, Coordinates::HalfPixel), [0.0, 2.0, 4.0]);
    assert_eq!(picks(6, 3, Rounding::Ceil, Coordinates::HalfPixel), [1.0, 3.0, 5.0]);
    // Every third coordinate is an integer, whatever the size.
    for n in [5, 49, 99, 1001] {
        let thirds = picks(n, 3 * n, Rounding::Floor, Coordinates::Asymmetric);
        assert!(thirds.iter().enumerate().all(|(o, &i)| i == (o / 3) as f32), "{n}");
    }
}

/// Shrinking 0 1 2 3 4 5 to a third with antialiasing: triangles of half-width 3 about 1 and 4, cut at the border.
#[test]
fn antialiasing_by_hand() {
    let x = Tensor::new([1, 1, 1, 6], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    let op = Resize2d {
        antialias: true,
        exclude_outside: true,
        ..Resize2d::new([1, 2], ResizeMode::Linear, Coordinates::HalfPixel)
    };
    let y = op.reference(&[x]).unwrap()[0].as_f32().unwrap().to_vec();
    let first = (1.0 * 3.0 + 2.0 * 2.0 + 3.0) / (2.0 + 3.0 + 2.0 + 1.0);
    assert_eq!(y, [first as f32, (5.0 - first) as f32]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let op = Resize2d::new([3, 4], ResizeMode::Linear, Coordinates::HalfPixel);
    let refuses = |op: &Resize2d, shape: &[usize]| assert!(op.outputs(&[Tensor::zeros(shape).desc()]).is_err());
    refuses(&op, &[2, 3, 4]);
    refuses(&op, &[1, 2, 0, 4]);
    refuses(&Resize2d { size: [0, 3], ..op.clone() }, &[1, 2, 3, 4]);
    refuses(&Resize2d { scale: Some([0.0, 1.0]), ..op.clone() }, &[1, 2, 3, 4]);
    refuses(&Resize2d { scale: Some([1e-9, 1.0]), antialias: true, ..op.clone() }, &[1, 2, 3, 4]);
    check(op, &[Tensor::zeros([0, 2, 3, 4])], true);
}

pub fn pytorch(case: &Case) {
    let [out] = case.out();
    let align_corners = case.params["align_corners"].as_bool() == Some(true);
    let (mode, coordinates) = match case.str("mode") {
        "nearest" => (ResizeMode::Nearest(Rounding::Floor), Coordinates::TorchNearest { small: true }),
        "nearest-exact" => (ResizeMode::Nearest(Rounding::Floor), Coordinates::TorchNearestExact),
        "bilinear" => (ResizeMode::Linear, Coordinates::TorchHalfPixel),
        "bicubic" => (ResizeMode::Cubic(-0.75), Coordinates::TorchHalfPixel),
        other => panic!("{other}"),
    };
    let coordinates = if align_corners { Coordinates::TorchAlignCorners } else { coordinates };
    let recompute = case.params["recompute_scale_factor"].as_bool() == Some(true);
    let scale = case.params["scale_factor"].as_array().filter(|_| !recompute);
    let scale = scale.map(|s| [0, 1].map(|i| s[i].as_f64().unwrap()));
    let op = Resize2d { scale, ..Resize2d::new([out.shape()[2], out.shape()[3]], mode, coordinates) };
    check_golden(case, op, &case.input_tensors(), &[out]);
}

/// Every pixel twice, but for those beyond the region, which have a value of their own.
#[test]
fn a_repeated_image_with_pixels_outside() {
    // Positions 0, 0.45, 0.9 and 1.35, of which the last one is behind the image.
    let crop = Coordinates::TfCropAndResize { roi: [0.0, 0.0, 1.35, 1.35], extrapolation_value: 7.0 };
    let op = Resize2d::new([4, 4], ResizeMode::Nearest(Rounding::RoundPreferFloor), crop);
    let x = Tensor::new([1, 1, 2, 2], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let y = op.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    let rows = [[1.0, 1.0, 2.0, 7.0], [1.0, 1.0, 2.0, 7.0], [3.0, 3.0, 4.0, 7.0], [7.0; 4]];
    assert_eq!(y.as_f32().unwrap(), rows.concat());
    check(op, &[x], true);
}

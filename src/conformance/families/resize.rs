//! Resampling.

use crate::attr::{Coordinates, ResizeMode, Rounding};
use crate::conformance::draw::{Drawn, Draws};
use crate::ops::resize::Resize2d;

pub fn resize(r: &mut Draws) -> Drawn {
    let roi = [r.number(), r.number(), r.number(), r.number()];
    let places = [
        Coordinates::HalfPixel,
        Coordinates::HalfPixelSymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::Asymmetric,
        Coordinates::AlignCorners,
        Coordinates::TfHalfPixelForNn,
        Coordinates::TorchHalfPixel,
        Coordinates::TorchAlignCorners,
        Coordinates::TfCropAndResize { roi, extrapolation_value: roi[0] },
        Coordinates::TorchNearest { small: false },
        Coordinates::TorchNearest { small: true },
        Coordinates::TorchNearestExact,
    ];
    let modes = [
        ResizeMode::Nearest(Rounding::RoundPreferFloor),
        ResizeMode::Nearest(Rounding::RoundPreferCeil),
        ResizeMode::Nearest(Rounding::Floor),
        ResizeMode::Nearest(Rounding::Ceil),
        ResizeMode::Nearest(Rounding::CeilWhenShrinking),
        ResizeMode::Linear,
        ResizeMode::Cubic(-0.75),
    ];
    let image = r.image();
    // A whole factor, which kernels of their own take, or any size.
    let whole = r.rng.int(0, 2) == 0;
    let size = match r.rng.int(1, 3) {
        factor if whole => [image[2].wrapping_mul(factor), image[3].wrapping_mul(factor)],
        _ => r.pair(),
    };
    let op = Resize2d {
        size,
        mode: r.one(&modes),
        coordinates: r.one(&places),
        scale: (!whole && r.flag()).then(|| [r.number().into(), r.number().into()]),
        exclude_outside: r.flag(),
        antialias: r.flag(),
    };
    r.of(op, &[&image])
}

//! Resize: sizes and fractional scales, every mode.

use convgpu::Tensor;

use crate::net::{Drawn, Net, Val};
use crate::onnx_build::{float, int, ints, string};

/// Coordinates that are whole numbers and halves only up to rounding decide which element is copied, so that engines
/// differ by their arithmetic. These scales are fractions of a power of two: everything is exact.
const EXACT: [f32; 7] = [0.5, 0.625, 0.75, 1.0, 1.5, 2.0, 2.25];
const FREE: [f32; 6] = [0.6, 0.7, 1.3, 1.7, 2.1, 3.0];
const COORDINATES: [&str; 5] =
    ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"];

pub fn resize(net: &mut Net) -> Drawn {
    if net.rng.int(0, 7) == 0 {
        return upsample(net);
    }
    // Version 11 wants a region.
    net.at_least(13);
    let mode = net.one(&["nearest", "linear", "cubic"]);
    let coordinates = net.one(if net.opset >= 19 { &COORDINATES } else { &COORDINATES[..4] });
    let mut attributes = vec![string("mode", mode), string("coordinate_transformation_mode", coordinates)];
    let exact = mode == "nearest" || net.flag();
    if mode == "nearest" {
        let rounding = net.one(&["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]);
        attributes.push(string("nearest_mode", rounding));
    }
    if mode == "cubic" {
        if net.flag() {
            attributes.push(float("cubic_coeff_a", -0.5));
        }
        if net.flag() {
            attributes.push(int("exclude_outside", 1));
        }
    }
    if net.opset >= 18 && mode != "nearest" && net.rng.int(0, 3) == 0 {
        attributes.push(int("antialias", 1));
    }
    let shape = net.image();
    let x = net.floats(&shape);
    let x = net.input(x);
    let both = net.flag();
    // With align_corners the coordinates are multiples of a ratio of extents: exact only if that is a power of two.
    if exact && coordinates == "align_corners" {
        return exact_corners(net, &x, attributes);
    }
    let scale = |net: &mut Net| if exact { net.one(&EXACT) } else { net.one(&FREE) };
    let scales = [1.0, 1.0, if both { scale(net) } else { 1.0 }, scale(net)];
    if net.flag() {
        let scales = net.constant(&Tensor::from(scales));
        return Ok(vec![net.add("Resize", &[&x, &Net::none(), &scales], attributes)?]);
    }
    let side = |k: usize| (shape[k] as f32 * scales[k]).floor().max(1.0) as i64;
    let sizes = if exact {
        // Twice or the same.
        [shape[0] as i64, shape[1] as i64, shape[2] as i64 * if both { 2 } else { 1 }, shape[3] as i64 * 2]
    } else {
        [0, 1, 2, 3].map(side)
    };
    let mut sizes = &sizes[..];
    if net.opset >= 18 && net.flag() {
        attributes.push(ints("axes", &[2, 3]));
        sizes = &sizes[2..];
    }
    let sizes = net.ints(sizes);
    Ok(vec![net.add("Resize", &[&x, &Net::none(), &Net::none(), &sizes], attributes)?])
}

/// The older operator, of whole scales.
fn upsample(net: &mut Net) -> Drawn {
    net.opset = 9;
    let shape = net.image();
    let x = net.floats(&shape);
    let x = net.input(x);
    let scales = [1.0, 1.0, net.rng.int(1, 3) as f32, net.rng.int(1, 3) as f32];
    let scales = net.constant(&Tensor::from(scales));
    let mode = net.one(&["nearest", "linear"]);
    Ok(vec![net.add("Upsample", &[&x, &scales], vec![string("mode", mode)])?])
}

/// From n + 1 to 2 n + 1, so that the steps are halves.
fn exact_corners(net: &mut Net, x: &Val, attributes: Vec<convgpu::internals::model::proto::AttributeProto>) -> Drawn {
    let [n, c, h, w] = x.shape()[..] else { unreachable!("an image") };
    let sizes = net.ints(&[n, c, 2 * h - 1, 2 * w - 1].map(|v| v as i64));
    Ok(vec![net.add("Resize", &[x, &Net::none(), &Net::none(), &sizes], attributes)?])
}

//! Images and volumes read at places that another tensor gives.

use convgpu::internals::model::proto::AttributeProto;

use crate::net::{Drawn, Net, Val, scaled};
use crate::onnx_build::{int, string};

impl Net {
    /// `[n, c, ..]` with two further axes, or three.
    fn picture_or_volume(&mut self, volume: bool) -> Vec<usize> {
        let sides = if volume { 3 } else { 2 };
        let mut shape = vec![self.rng.int(1, 2), self.rng.int(1, 5)];
        (0..sides).for_each(|_| shape.push(self.rng.int(1, 6)));
        shape
    }

    /// What lies beyond, and where corners lie; each is left out now and then.
    fn beyond(&mut self) -> Vec<AttributeProto> {
        let mut attributes = vec![];
        let padding = self.one(&["zeros", "zeros", "border", "reflection"]);
        if padding != "zeros" || self.flag() {
            attributes.push(string("padding_mode", padding));
        }
        attributes.extend(self.corners());
        attributes
    }

    fn corners(&mut self) -> Option<AttributeProto> {
        let aligned = self.flag();
        (aligned || self.flag()).then(|| int("align_corners", aligned.into()))
    }
}

/// Every mode. Places are multiples of 3/32 up to half an image beyond it, so that pixels and what lies in the middle of two
/// are exact.
pub fn grid_sample(net: &mut Net) -> Drawn {
    net.opset = net.one(&[16, 20, 22]);
    let volume = net.opset >= 20 && net.rng.int(0, 2) == 0;
    let shape = net.picture_or_volume(volume);
    // Of images alone there is a cubic mode.
    let modes = if net.opset < 20 { ["bilinear", "nearest", "bicubic"] } else { ["linear", "nearest", "cubic"] };
    let mode = net.one(&modes[..if volume { 2 } else { 3 }]);
    let mut attributes = net.beyond();
    if mode != modes[0] || net.flag() {
        attributes.push(string("mode", mode));
    }
    let sides = shape.len() - 2;
    let mut of = vec![shape[0]];
    (0..sides).for_each(|_| of.push(net.rng.int(1, 5)));
    of.push(sides);
    let (x, grid) = (net.floats(&shape), scaled(&net.floats(&of), 0.75));
    let (x, grid) = (net.input(x), net.either(grid));
    Ok(vec![net.add("GridSample", &[&x, &grid], attributes)?])
}

/// Matrices, and the places of an image of this size that they give.
fn places(net: &mut Net, size: &[usize]) -> Result<Val, crate::net::Refused> {
    net.at_least(20);
    let sides = size.len() - 2;
    let theta = net.floats(&[size[0], sides, sides + 1]);
    let theta = net.input(theta);
    let size: Vec<i64> = size.iter().map(|&n| n as i64).collect();
    let size = net.ints(&size);
    let attributes = net.corners().into_iter().collect();
    net.add("AffineGrid", &[&theta, &size], attributes)
}

pub fn affine_grid(net: &mut Net) -> Drawn {
    let volume = net.flag();
    let size = net.picture_or_volume(volume);
    Ok(vec![places(net, &size)?])
}

/// An image turned and moved by a matrix: between pixels, since places are rounded.
pub fn transformer(net: &mut Net) -> Drawn {
    let volume = net.rng.int(0, 2) == 0;
    let (shape, mut size) = (net.picture_or_volume(volume), net.picture_or_volume(volume));
    size[0] = shape[0];
    let grid = places(net, &size)?;
    let x = net.floats(&shape);
    let x = net.input(x);
    let attributes = net.beyond();
    Ok(vec![net.add("GridSample", &[&x, &grid], attributes)?])
}

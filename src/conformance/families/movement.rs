//! Operators that only move elements.

use crate::attr::PadMode;
use crate::conformance::draw::{Drawn, Draws, Fill};
use crate::ops::concat::Concat;
use crate::ops::expand::Expand;
use crate::ops::gather::Gather;
use crate::ops::pad::Pad;
use crate::ops::permute::Permute;
use crate::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use crate::ops::reshape::Reshape;
use crate::ops::slice::Slice;
use crate::ops::split::Split;
use crate::ops::tile::Tile;
use crate::shape::{DType, Desc};

pub fn pad(r: &mut Draws) -> Drawn {
    let shape = r.shape(4);
    let mode = r.one(&[PadMode::Constant(1.0), PadMode::Reflect, PadMode::Replicate, PadMode::Circular]);
    let pads = r.list(&shape, |r, _| [r.signed(), r.signed()]);
    r.of(Pad { pads, mode }, &[&shape])
}

pub fn pixel_shuffle(r: &mut Draws) -> Drawn {
    let (factor, order) = (r.count(), r.one(&[Order::ChannelFirst, Order::DepthFirst]));
    let shape = [r.count(), r.count().wrapping_mul(factor).wrapping_mul(factor), r.extent(), r.extent()];
    r.of(PixelShuffle { factor, order }, &[&shape])
}

pub fn pixel_unshuffle(r: &mut Draws) -> Drawn {
    let (factor, order) = (r.count(), r.one(&[Order::ChannelFirst, Order::DepthFirst]));
    let shape = [r.count(), r.extent(), r.count().wrapping_mul(factor), r.count().wrapping_mul(factor)];
    r.of(PixelUnshuffle { factor, order }, &[&shape])
}

pub fn concat(r: &mut Draws) -> Drawn {
    let (shape, axis) = r.shape_and_axis();
    let mut parts = vec![shape.clone()];
    for _ in 0..r.rng.int(1, 3) {
        let mut other = shape.clone();
        if let Some(extent) = other.get_mut(axis) {
            *extent = r.count();
        }
        parts.push(other);
    }
    let shapes: Vec<&[usize]> = parts.iter().map(Vec::as_slice).collect();
    r.of(Concat { axis }, &shapes)
}

pub fn split(r: &mut Draws) -> Drawn {
    let (mut shape, axis) = r.shape_and_axis();
    let sizes = r.list(&[0; 3], |r, _| r.count());
    if let Some(extent) = shape.get_mut(axis) {
        *extent = sizes.iter().fold(0, |a, &b| a.wrapping_add(b));
    }
    r.of(Split { axis, sizes }, &[&shape])
}

pub fn permute(r: &mut Draws) -> Drawn {
    let shape = match r.rng.int(0, 3) {
        // Several tiles of matrices.
        0 if !r.wild => vec![r.rng.int(1, 3), r.rng.int(20, 90), r.rng.int(20, 90)],
        _ => r.shape(7),
    };
    let order = r.order(shape.len());
    r.of(Permute { order }, &[&shape])
}

pub fn tile(r: &mut Draws) -> Drawn {
    let shape = r.shape(7);
    let repeats = r.list(&shape, |r, _| r.count());
    r.of(Tile { repeats }, &[&shape])
}

pub fn slice(r: &mut Draws) -> Drawn {
    let shape = r.shape(7);
    let starts = r.list(&shape, |r, n| if n > 0 && r.flag() { r.rng.int(0, n.min(9) - 1) as i64 } else { r.signed() });
    let steps = r.list(&shape, |r, _| r.signed());
    let sizes = r.list(&shape, |r, n| if r.flag() { 1.min(n) } else { r.count() });
    r.of(Slice { starts, steps, sizes }, &[&shape])
}

pub fn gather(r: &mut Draws) -> Drawn {
    let (shape, axis) = r.shape_and_axis();
    let indices = r.shape(2);
    let extent = shape.get(axis).copied().unwrap_or(0);
    let descs = vec![r.desc(&shape), Desc::new(indices, r.one(&[DType::I64, DType::I32]))];
    let drawn = Drawn::new(Gather { axis }, descs);
    if extent > 0 && !r.wild { drawn.filled([Fill::Any, Fill::Index(extent)]) } else { drawn }
}

pub fn expand(r: &mut Draws) -> Drawn {
    let shape = r.shape(7);
    let wanted = r.list(&shape, |r, n| if n == 1 { r.count() } else { n });
    r.of(Expand { shape: wanted }, &[&shape])
}

pub fn reshape(r: &mut Draws) -> Drawn {
    let mut shape = r.shape(7);
    let wanted = match r.rng.int(0, 2) {
        0 => r.shape(7),
        1 => vec![shape.iter().fold(1usize, |a, &b| a.wrapping_mul(b))],
        _ => shape.clone(),
    };
    shape.reverse();
    r.of(Reshape { shape: wanted }, &[&shape])
}

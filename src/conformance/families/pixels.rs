//! Pixels and bytes as inputs of a device.

use crate::conformance::draw::{Drawn, Draws, Fill};
use crate::ops::bytes::FromBytes;
use crate::ops::pixels::{Channels, FromPixels, Norm, ToPixels};
use crate::shape::{DType, Desc};

fn channels(r: &mut Draws) -> Channels {
    let plain = Norm { scale: 1.0 / 255.0, mean: [0.0; 4], std: [1.0; 4] };
    let of_imagenet = Norm { mean: [0.485, 0.456, 0.406, 0.5], std: [0.229, 0.224, 0.225, 0.25], ..plain };
    Channels {
        count: r.one(&[1, 3, 4]),
        swapped: r.flag(),
        last: r.flag(),
        norm: if r.flag() { plain } else { of_imagenet },
    }
}

pub fn from_bytes(r: &mut Draws) -> Drawn {
    let desc = Desc::new(r.shape(4), r.one(&[DType::I8, DType::U8, DType::Bool]));
    let words = if r.wild { r.count() } else { desc.numel().div_ceil(4) };
    Drawn::new(FromBytes { desc }, vec![Desc::new([words], DType::U32)]).filled([Fill::Bits])
}

pub fn from_pixels(r: &mut Draws) -> Drawn {
    let (h, width) = (r.extent(), r.extent());
    let size = r.flag().then(|| [r.extent(), r.extent()]);
    let op = FromPixels { width, size, channels: channels(r) };
    let of_bytes = Desc::new([h, width.wrapping_add(r.rng.int(0, 9))], DType::U32);
    let desc = if r.flag() { of_bytes } else { Desc::f32([h, width, 4]) };
    Drawn::new(op, vec![desc]).filled([Fill::Bits])
}

pub fn to_pixels(r: &mut Draws) -> Drawn {
    let (h, w, channels) = (r.extent(), r.extent(), channels(r));
    let shape = if channels.last { [1, h, w, channels.count] } else { [1, channels.count, h, w] };
    let pitch = w.wrapping_add(r.rng.int(0, 9));
    r.of(ToPixels { pitch, channels }, &[&shape])
}

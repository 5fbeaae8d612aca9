//! Pooling.

use crate::attr::{PoolKind, Window};
use crate::conformance::draw::{Drawn, Draws, Fill, Values, places, product};
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::fold::Fold;
use crate::ops::max_unpool::MaxUnpool;
use crate::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use crate::shape::{DType, Desc};

pub fn max(r: &mut Draws) -> Drawn {
    let indices = r.one(&[Indices::None, Indices::Plane, Indices::Tensor, Indices::TensorColumnMajor]);
    let (window, ceil_mode) = (r.window(), r.flag());
    r.of_image(MaxPool2d { window, ceil_mode, indices })
}

pub fn avg(r: &mut Draws) -> Drawn {
    let whole = !r.wild && r.rng.int(0, 5) == 0;
    let (window, ceil_mode) = (r.window(), r.flag());
    let divisor_override = r.flag().then(|| r.count());
    let count_include_pad = r.flag();
    if whole {
        // The mean of a whole image.
        let image = r.image();
        let window = Window::new([image[2], image[3]]);
        return r.of(AvgPool2d { window, ceil_mode, count_include_pad, divisor_override: None }, &[&image]);
    }
    r.of_image(AvgPool2d { window, ceil_mode, count_include_pad, divisor_override })
}

pub fn lp(r: &mut Draws) -> Drawn {
    let (window, ceil_mode) = (r.window(), r.flag());
    // The largest number's power is far below that of f32.
    let most = if r.values == Values::Edges { 7 } else { 20 };
    let p = if r.wild { r.count() } else { r.count().min(most) };
    let (p, signed, rescale) = (p as u32, r.flag(), r.flag());
    // Of a negative sum the root is NaN, and what is negative here may be 0 where powers underflow.
    let signed = signed && r.values != Values::Edges;
    r.of_image(LpPool2d { window, ceil_mode, p, signed, rescale })
}

pub fn adaptive(r: &mut Draws) -> Drawn {
    let kind = r.one(&[PoolKind::Avg, PoolKind::Max]);
    let output = if r.rng.int(0, 3) == 0 { [1, 1] } else { r.pair() };
    r.of_image(AdaptivePool2d { output, kind })
}

pub fn unpool(r: &mut Draws) -> Drawn {
    let x = r.image();
    let planes = if r.flag() { product(&x[..2]) } else { 1 };
    let more = [r.count(), r.count()];
    let shape = vec![x[0], x[1], product(&more)];
    let size = if planes == 1 { product(&shape) } else { shape[2] };
    let mut drawn = r.of(MaxUnpool { shape, planes }, &[&x]);
    drawn.inputs.push(Desc::new(x, r.one(&[DType::I64, DType::I32])));
    drawn.filled([Fill::Any, Fill::UpTo(size.saturating_sub(1))])
}

pub fn fold(r: &mut Draws) -> Drawn {
    let (window, [n, c, h, w]) = (r.window(), r.image());
    let [oh, ow] = places(&window, [h, w]);
    let rows = product(&[c, window.kernel[0], window.kernel[1]]);
    r.of(Fold { window, size: [h, w] }, &[&[n, rows, oh * ow]])
}

//! Convolutions and products of matrices: forms that reach every kernel, each off the sizes of its tiles.

use crate::attr::Activation;
use crate::conformance::draw::{Drawn, Draws, Fill, Follow, INTEGERS, Values, places, product};
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::deform_columns::DeformColumns;
use crate::ops::det::Det;
use crate::ops::matmul::MatMul;
use crate::shape::{DType, Desc};

pub fn conv2d(r: &mut Draws) -> Drawn {
    match r.rng.int(0, 9) {
        _ if r.wild => any(r),
        0..=2 => any(r),
        3 => depthwise(r),
        4 => one_tap(r),
        5 => three_by_three(r),
        6 => wide(r),
        7 => deep(r),
        8 => vectors(r),
        _ => grouped(r),
    }
}

/// Any attributes on small shapes.
fn any(r: &mut Draws) -> Drawn {
    let (x, [_, icg, oc, groups], kernel) = convolution(r);
    let op = Conv2d { stride: r.pair(), padding: r.pads(), dilation: r.pair(), groups };
    let bias = r.flag().then_some([oc]);
    let mut shapes: Vec<&[usize]> = vec![&x];
    let weight = [oc, icg, kernel[0], kernel[1]];
    shapes.push(&weight);
    shapes.extend(bias.as_ref().map(|b| &b[..]));
    let drawn = r.of(op, &shapes);
    followed(r, drawn)
}

/// An image, its channels, those of a group, the output's and the groups, and a kernel.
fn convolution(r: &mut Draws) -> ([usize; 4], [usize; 4], [usize; 2]) {
    let groups = if r.flag() { 1 } else { r.count() };
    let (icg, ocg) = (r.count(), if r.flag() { r.count() } else { r.count().wrapping_mul(4) });
    let [ic, oc] = [icg, ocg].map(|n| n.wrapping_mul(groups));
    let [n, _, h, w] = r.image();
    ([n, ic, h, w], [ic, icg, oc, groups], r.pair())
}

/// A convolution of `n` images whose outputs have about this size: the channels are those of a group, and of the output.
fn sized(r: &mut Draws, op: Conv2d, n: usize, [icg, oc]: [usize; 2], kernel: [usize; 2], size: [usize; 2]) -> Drawn {
    let span = |a: usize| {
        let taps = op.dilation[a] * (kernel[a] - 1) + 1;
        ((size[a] - 1) * op.stride[a] + taps).saturating_sub(op.padding[a][0] + op.padding[a][1]).max(1)
    };
    let x = [n, icg * op.groups, span(0), span(1)];
    let mut inputs = vec![Desc::f32(x), Desc::f32([oc, icg, kernel[0], kernel[1]])];
    if r.flag() {
        inputs.push(Desc::f32([oc]));
    }
    let drawn = Drawn::new(op, inputs);
    followed(r, drawn)
}

/// A third of all gets nodes for its epilogue.
fn followed(r: &mut Draws, drawn: Drawn) -> Drawn {
    let functions = [
        Activation::Relu,
        // f(0) is not 0: padding lanes must be masked after it.
        Activation::Clamp { min: 0.5, max: 2.0 },
        Activation::LeakyRelu { slope: -0.25 },
    ];
    let function = match r.rng.int(0, 3) {
        0 if r.values != Values::Integers => Activation::Sigmoid,
        _ => r.one(&functions),
    };
    // The slope of a leaky relu keeps integers exact: a quarter of an integer is an f32.
    let follows = [Follow::Residual, Follow::ResidualAnd(function), Follow::Just(function), Follow::Prelu(r.flag())];
    let follow = (!r.wild && r.rng.int(0, 2) == 0).then(|| r.one(&follows));
    Drawn { follow, ..drawn }
}

/// Strides, sides and dilations that differ by axis.
fn attributes(r: &mut Draws, groups: usize) -> Conv2d {
    Conv2d {
        stride: [r.rng.int(1, 2), r.rng.int(1, 3)],
        padding: [[r.rng.int(0, 2), r.rng.int(0, 2)], [r.rng.int(0, 2), r.rng.int(0, 3)]],
        dilation: [r.rng.int(1, 2), r.rng.int(1, 3)],
        groups,
    }
}

/// Filters of one channel: one or more per channel.
fn depthwise(r: &mut Draws) -> Drawn {
    let c = r.rng.int(1, 37);
    let kernel = [r.rng.int(1, 5), r.rng.int(1, 9)];
    let multiplier = if r.rng.int(0, 2) == 0 { r.rng.int(2, 3) } else { 1 };
    let (op, size) = (attributes(r, c), [r.rng.int(1, 9), r.rng.int(1, 17)]);
    let n = r.rng.int(1, 2);
    sized(r, op, n, [1, c * multiplier], kernel, size)
}

/// Plain products of matrices; whole vec4s of pixels or not.
fn one_tap(r: &mut Draws) -> Drawn {
    let (n, channels) = (r.rng.int(1, 3), [r.rng.int(1, 170), r.rng.int(1, 150)]);
    let size = [r.rng.int(1, 11), r.rng.int(1, 13)];
    sized(r, Conv2d::default(), n, channels, [1, 1], size)
}

/// What Winograd's algorithm takes.
fn three_by_three(r: &mut Draws) -> Drawn {
    let padding = [[r.rng.int(0, 2), r.rng.int(0, 2)], [r.rng.int(0, 2), r.rng.int(0, 5)]];
    let (n, channels) = (r.rng.int(1, 2), [r.rng.int(1, 40), r.rng.int(1, 50)]);
    let size = [r.rng.int(1, 19), r.rng.int(1, 23)];
    sized(r, Conv2d { padding, ..Conv2d::default() }, n, channels, [3, 3], size)
}

/// More than one tile of every shape, with partial tiles.
fn wide(r: &mut Draws) -> Drawn {
    let op = Conv2d { stride: [1, 1], ..attributes(r, 1) };
    let channels = [r.rng.int(1, 24), r.rng.int(33, 160)];
    let (kernel, size) = ([r.rng.int(1, 3), r.rng.int(1, 3)], [r.rng.int(3, 13), r.rng.int(3, 15)]);
    sized(r, op, 1, channels, kernel, size)
}

/// An inner dimension that is split.
fn deep(r: &mut Draws) -> Drawn {
    let op = attributes(r, 1);
    let (channels, size) = ([r.rng.int(130, 400), r.rng.int(1, 45)], [r.rng.int(1, 4), r.rng.int(1, 5)]);
    let (n, kernel) = (r.rng.int(1, 3), [r.rng.int(1, 3), r.rng.int(1, 3)]);
    sized(r, op, n, channels, kernel, size)
}

/// A linear layer, as a convolution of images of one pixel.
fn vectors(r: &mut Draws) -> Drawn {
    let (n, channels) = (r.rng.int(1, 9), [r.rng.int(1, 1500), r.rng.int(1, 70)]);
    sized(r, Conv2d::default(), n, channels, [1, 1], [1, 1])
}

/// Groups of whole vec4s and subgroups, and others.
fn grouped(r: &mut Draws) -> Drawn {
    let groups = r.rng.int(2, 4);
    let op = attributes(r, groups);
    let per_group = if r.flag() { r.rng.int(1, 9) * 4 } else { r.rng.int(1, 33) };
    let (icg, size) =
        (if r.flag() { r.rng.int(1, 6) * 4 } else { r.rng.int(1, 20) }, [r.rng.int(1, 8), r.rng.int(1, 9)]);
    let (n, kernel) = (r.rng.int(1, 2), [r.rng.int(1, 3), r.rng.int(1, 3)]);
    sized(r, op, n, [icg, per_group * groups], kernel, size)
}

pub fn conv_transpose2d(r: &mut Draws) -> Drawn {
    let (x, [ic, _, oc, groups], kernel) = convolution(r);
    let (stride, padding, output_padding, dilation) = (r.pair(), r.pads(), r.pair(), r.pair());
    let op = ConvTranspose2d { stride, padding, output_padding, dilation, groups };
    let weight = [ic, oc / groups.max(1), kernel[0], kernel[1]];
    let drawn = match r.rng.int(0, 2) {
        0 => r.of(op, &[&x, &weight, &[oc]]),
        1 => r.of(op, &[&x, &weight]),
        _ if r.wild => r.of(op, &[&x, &weight]),
        _ => {
            let (ic, oc, n) = (r.rng.int(1, 40), r.rng.int(1, 70), r.rng.int(1, 2));
            let stride = [r.rng.int(1, 3), r.rng.int(1, 3)];
            let kernel = [stride[0] + r.rng.int(0, 2), stride[1] + r.rng.int(0, 2)];
            let x = [n, ic, r.rng.int(1, 8), r.rng.int(1, 9)];
            let weight = [ic, oc, kernel[0], kernel[1]];
            Drawn::new(ConvTranspose2d { stride, ..ConvTranspose2d::default() }, vec![Desc::f32(x), Desc::f32(weight)])
        }
    };
    followed(r, drawn)
}

pub fn matmul(r: &mut Draws) -> Drawn {
    let (m, k, n) = match r.rng.int(0, 3) {
        _ if r.wild => (r.count(), r.count(), r.count()),
        0 => (r.rng.int(1, 150), r.rng.int(1, 40), r.rng.int(1, 150)),
        1 => (r.rng.int(1, 5), r.rng.int(300, 5000), r.rng.int(1, 50)),
        _ => (r.extent(), r.extent(), r.extent()),
    };
    let batch = r.shape(3);
    let fewer = r.rng.int(0, batch.len());
    let (a, b) = ([&batch[..], &[m, k]].concat(), [&batch[fewer..], &[k, n]].concat());
    if r.values != Values::Edges && r.rng.int(0, 5) == 0 {
        let dtype = r.one(&INTEGERS);
        let drawn = Drawn::new(MatMul, vec![Desc::new(a, dtype), Desc::new(b, dtype)]);
        // A device has 32 bits of an i64.
        return if dtype == DType::I64 { drawn } else { drawn.filled([Fill::Bits, Fill::Bits]) };
    }
    r.of(MatMul, &[&a, &b])
}

/// Taps moved by some pixels, or far.
pub fn deform(r: &mut Draws) -> Drawn {
    let (window, [n, c, h, w]) = (r.window(), r.image());
    let groups = if r.flag() { 1 } else { c };
    let [oh, ow] = places(&window, [h, w]);
    let entries = product(&[groups, window.kernel[0], window.kernel[1]]);
    let (offset, mask) = ([n, product(&[2, entries]), oh, ow], [n, entries, oh, ow]);
    let op = DeformColumns { window, groups };
    let shapes: &[&[usize]] = &[&[n, c, h, w], &offset, &mask];
    let shapes = if r.flag() { shapes } else { &shapes[..2] };
    r.of(op, shapes).filled([Fill::Any, Fill::Grid])
}

/// Matrices of a few rows, seldom of many.
pub fn det(r: &mut Draws) -> Drawn {
    let n = if r.rng.int(0, 9) == 0 { r.rng.int(9, 34) } else { r.rng.int(0, 6) };
    let shape = [r.shape(3), vec![n, n]].concat();
    r.of(Det, &[&shape])
}

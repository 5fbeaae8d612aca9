// y[n, c, tap, oy, ox] = mask[n, group, tap, oy, ox] times the image between four pixels, zeros beyond it, at
//   (oy sy - py + ky dy, ox sx - px + kx dx) + offset[n, group, tap, :, oy, ox]; the mask is 1 without MASKED
//   x: row-major [n, c, ih, iw]   offset: [n, groups, KH KW, 2, oh, ow]   mask: [n, groups, KH KW, oh, ow]   y: [n, c KH KW, oh,
//   ow]
// One invocation: one output.

// zero: 0 at run time only, see `axis`.
struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, groups: u32,
    sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32, nan: f32, zero: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> offset: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override KH: u32 = 1u;
override KW: u32 = 1u;
override MASKED: bool = false;

// Two pixels along an axis and their weights, which are 0 beyond the image.
struct Axis { at: vec2<u32>, weight: vec2<f32> }

// `base` is the place without an offset, in pixels of the padded image.
fn axis(base: u32, padding: u32, offset: f32, extent: u32) -> Axis {
    // Farther out there is nothing, and an infinite offset is as far.
    let place = clamp(f32(i32(base) - i32(padding)) + clamp(offset, -4294967296.0, 4294967296.0), -2.0, f32(extent) + 1.0);
    let low = floor(place);
    // By its bits: a compiler might else compute the place anew where it is subtracted from 1, and the weights would not add up.
    let t = bitcast<f32>(bitcast<u32>(place - low) ^ p.zero);
    let places = vec2<f32>(low, low + 1.0);
    let inside = (places >= vec2<f32>(0.0)) & (places < vec2<f32>(f32(extent)));
    let at = min(vec2<u32>(clamp(places, vec2<f32>(0.0), vec2<f32>(f32(extent)))), vec2<u32>(extent - 1u));
    return Axis(at, select(vec2<f32>(0.0), vec2<f32>(1.0 - t, t), inside));
}

fn pixel(first: u32, row: u32, column: u32, weight: f32) -> f32 {
    // A pixel without a weight may be infinite.
    return select(0.0, weight * x[first + row * p.iw + column], weight != 0.0);
}

fn compute(i: u32) {
    let taps = KH * KW;
    let places = p.oh * p.ow;
    if i >= p.n * p.c * taps * places { return; }
    let at = i % places;
    let tap = i / places % taps;
    let plane = i / places / taps;
    let channel = plane % p.c;
    let group = plane / p.c * p.groups + channel / (p.c / p.groups);
    let entry = group * taps + tap;
    let by = offset[entry * 2u * places + at];
    let bx = offset[(entry * 2u + 1u) * places + at];
    let ty = axis(at / p.ow * p.sy + tap / KW * p.dy, p.py, by, p.ih);
    let tx = axis(at % p.ow * p.sx + tap % KW * p.dx, p.px, bx, p.iw);
    let first = plane * p.ih * p.iw;
    var sum = pixel(first, ty.at.x, tx.at.x, ty.weight.x * tx.weight.x);
    sum += pixel(first, ty.at.x, tx.at.y, ty.weight.x * tx.weight.y);
    sum += pixel(first, ty.at.y, tx.at.x, ty.weight.y * tx.weight.x);
    sum += pixel(first, ty.at.y, tx.at.y, ty.weight.y * tx.weight.y);
    if MASKED { sum *= mask[entry * places + at]; }
    y[i] = select(sum, p.nan, is_nan(by) | is_nan(bx));
}

// y[region, oy, ox, c] = mean or, with MAX, maximum over the samples of bin (oy, ox) of the image between four pixels
//   Sample i of `count` in bin o of an axis is at start + (o + (i + 1/2) / count) size / bins. A sample more than a pixel outside
//   the image is 0, one nearer takes the border. The maximum is that of the pixels, each times its weight, as in ONNX Runtime.
// One invocation: one Element of y; neighbouring invocations take neighbouring channels, or columns, so that stores coalesce.

// zero: 0 at run time only, see `tap_at`.
struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, regions: u32, spatial_scale: f32, lowest: f32, nan: f32, zero: u32,
}

override MAX: bool = false;
// Whether the centre of a pixel is at a half.
override ALIGNED: bool = false;
// Samples of a bin along an axis; 0: as many as it has pixels.
override SAMPLES: u32 = 0u;

// The samples of a bin along an axis: from `first` on those that may be in the image, of `count`.
struct Samples { start: f32, bin: f32, o: f32, count: f32, first: f32, visited: u32 }

// The pixels of a sample, their weights, and whether it is in the image.
struct Tap { at: vec2<u32>, weight: vec2<f32>, inside: bool }

// The smallest whole number of pixels that cover a bin. A quotient near a whole number may be on either side of it: products
// tell.
fn covering(size: f32, bins: f32) -> f32 {
    let near = clamp(round(size / bins), 0.0, 16777216.0);
    let below = max(near - 1.0, 0.0);
    if below * bins >= size { return below; }
    return select(near + 1.0, near, near * bins >= size);
}

fn samples_of(low: f32, high: f32, bins: u32, o: u32, extent: u32) -> Samples {
    let start = low - select(0.0f, 0.5f, ALIGNED);
    let size = select(max(high - low, 1.0), high - low, ALIGNED);
    let bin = size / f32(bins);
    if SAMPLES > 0u { return Samples(start, bin, f32(o), f32(SAMPLES), 0.0, SAMPLES); }
    let count = covering(size, f32(bins));
    // Of more than one sample each is half a pixel after the last or more, so that at most extent + 3 are in the image; the
    // others are for rounding.
    let step = max(bin / max(count, 1.0), 0.25);
    let before = floor((-1.0 - (start + f32(o) * bin)) / step - 0.5) - 2.0;
    let first = clamp(before, 0.0, max(count - 1.0, 0.0));
    return Samples(start, bin, f32(o), count, first, u32(min(count - first, f32(extent) + 8.0)));
}

fn tap_at(s: Samples, k: u32, extent: u32) -> Tap {
    let at = s.start + (s.o + (s.first + f32(k) + 0.5) / s.count) * s.bin;
    let last = f32(extent - 1u);
    let place = clamp(at, 0.0, last);
    let low = min(u32(place), extent - 1u);
    // By its bits: a compiler might else compute the place anew where it is subtracted from 1, and the weights would not add up.
    let t = bitcast<f32>(bitcast<u32>(place - floor(place)) ^ p.zero);
    return Tap(vec2<u32>(low, min(low + 1u, extent - 1u)), vec2<f32>(1.0 - t, t), (at >= -1.0) & (at <= f32(extent)));
}

fn sample(at: Place, ty: Tap, sx: Samples, k: u32) -> Value {
    let tx = tap_at(sx, k, p.iw);
    let rows = ty.at * p.iw;
    let a = (ty.weight.x * tx.weight.x) * pixel(at, rows.x + tx.at.x);
    let b = (ty.weight.x * tx.weight.y) * pixel(at, rows.x + tx.at.y);
    let c = (ty.weight.y * tx.weight.x) * pixel(at, rows.y + tx.at.x);
    let d = (ty.weight.y * tx.weight.y) * pixel(at, rows.y + tx.at.y);
    var v = a + b + c + d;
    if MAX { v = maximum(maximum(a, b), maximum(c, d)); }
    return select(Value(0.0), v, ty.inside & tx.inside);
}

// With sample k; past the last one that one is repeated for the maximum, and adds nothing.
fn with_sample(acc: Value, at: Place, ty: Tap, sx: Samples, k: u32) -> Value {
    let v = sample(at, ty, sx, min(k, sx.visited - 1u));
    if MAX { return maximum(acc, v); }
    return acc + select(Value(0.0), v, k < sx.visited);
}

fn compute(i: u32) {
    if i >= p.regions * p.oh * p.ow * blocks_in_all() { return; }
    let at = place_of(i);
    if is_lost(at.region) {
        y[i] = Element(lost(at.block));
        return;
    }
    let sy = samples_of(corner(at.region, 1u), corner(at.region, 3u), p.oh, at.oy, p.ih);
    let sx = samples_of(corner(at.region, 0u), corner(at.region, 2u), p.ow, at.ox, p.iw);
    if (sy.visited == 0u) | (sx.visited == 0u) {
        y[i] = Element(Value(0.0));
        return;
    }
    var acc = Value(select(0.0, p.lowest, MAX));
    for (var ky = 0u; ky < sy.visited; ky++) {
        let ty = tap_at(sy, ky, p.ih);
        for (var kx = 0u; kx < sx.visited; kx += 4u) {
            acc = with_sample(acc, at, ty, sx, kx);
            acc = with_sample(acc, at, ty, sx, kx + 1u);
            acc = with_sample(acc, at, ty, sx, kx + 2u);
            acc = with_sample(acc, at, ty, sx, kx + 3u);
        }
    }
    if MAX { y[i] = Element(acc); }
    if !MAX { y[i] = Element(acc / Value(sy.count * sx.count)); }
}

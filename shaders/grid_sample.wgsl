// y[n, o, c] = sum over the taps of point o of wz wy wx x[n, iz, iy, ix, c]; the taps are those of reference::grid_sample
//   x: [n, id, ih, iw, c] of Element   grid: row-major [n, points, AXES], the coordinates x, y and, of volumes, z
//   y: [n, points, c] of Element, padding lanes 0; row-major the channels come before the pixels and the points, and an Element
//     is one value
// One invocation: BLOCKS Elements of a point, of as many blocks of channels, for which it computes the taps once; past the last
// block that one is repeated. Neighbouring invocations take neighbouring channels, or points, so that stores coalesce.

// zero: 0 at run time only, see `behind`.
struct Params { n: u32, c: u32, id: u32, ih: u32, iw: u32, points: u32, nan: f32, zero: u32 }

@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> grid: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

override AXES: u32 = 2u;
override MODE: u32 = SAMPLE_BILINEAR;
override BEYOND: u32 = BEYOND_ZEROS;
override ALIGN_CORNERS: bool = false;
// Whether a coordinate that is not finite makes the result NaN.
override LOSES: bool = false;
override BLOCKS: u32 = 1u;

// Farther out than any image, and products with extents stay in the range of f32.
const FAR: f32 = 1152921504606846976.0;

// The pixels along an axis, which are never outside, their weights, and whether they are those of the image and no zeros.
struct Taps { at: vec4<u32>, weight: vec4<f32>, inside: vec4<bool> }

fn is_finite(g: f32) -> bool {
    return (bitcast<u32>(g) & 0x7fffffffu) < 0x7f800000u;
}

// The coordinate that a value of the grid means: pixel i is at i.
fn coordinate(g: f32, extent: u32) -> f32 {
    if !is_finite(g) { return missing(g); }
    let from_left = clamp(g, -FAR, FAR) + 1.0;
    if ALIGN_CORNERS { return from_left * (0.5 * f32(extent - 1u)); }
    return from_left * (0.5 * f32(extent)) - 0.5;
}

// The same where it is not finite.
fn missing(g: f32) -> f32 {
    if BEYOND == BEYOND_ZEROS { return -FAR; }
    if BEYOND == BEYOND_BORDER {
        if !is_nan(g) { return select(FAR, -FAR, bitcast<u32>(g) >> 31u == 1u); }
    }
    return 0.0;
}

// The coordinate within the image that stands for one beyond it.
fn padded(x: f32, extent: u32) -> f32 {
    let last = f32(extent - 1u);
    if BEYOND == BEYOND_BORDER { return clamp(x, 0.0, last); }
    if BEYOND == BEYOND_REFLECTION {
        let low = select(-0.5f, 0.0f, ALIGN_CORNERS);
        let period = max(2.0 * (last - 2.0 * low), 1.0);
        let distance = abs(x - low);
        let part = distance - trunc(distance / period) * period;
        return clamp(min(part, period - part) + low, 0.0, last);
    }
    return x;
}

// How far a coordinate is behind the pixel before it, by its bits: a compiler might else compute x anew where it is subtracted
// from 1, its product fused with a sum or in another order (Metal's fast math), and the weights would not add up to 1.
fn behind(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x - floor(x)) ^ p.zero);
}

// The weights of four pixels for a coordinate t behind the second: cubic convolution with a = -0.75, as products.
fn cubic(t: f32) -> vec4<f32> {
    let s = 1.0 - t;
    let outer = -0.75 * t * s * vec2<f32>(s, t);
    let inner = vec2<f32>(s, t) * (1.0 + vec2<f32>(t, s) * (1.0 - 1.25 * vec2<f32>(t, s)));
    return vec4<f32>(outer.x, inner, outer.y);
}

fn taps_at(place: vec4<f32>, weight: vec4<f32>, extent: u32) -> Taps {
    let end = vec4<f32>(f32(extent));
    let inside = (place >= vec4<f32>(0.0)) & (place < end);
    return Taps(min(vec4<u32>(clamp(place, vec4<f32>(0.0), end)), vec4<u32>(extent - 1u)), weight, inside);
}

fn taps_of(g: f32, extent: u32) -> Taps {
    let x = coordinate(g, extent);
    if MODE == SAMPLE_BICUBIC {
        let first = floor(x);
        let before = vec2<f32>(padded(first - 1.0, extent), padded(first, extent));
        let after = vec2<f32>(padded(first + 1.0, extent), padded(first + 2.0, extent));
        return taps_at(vec4<f32>(before, after), cubic(behind(x)), extent);
    }
    let inner = padded(x, extent);
    if MODE == SAMPLE_NEAREST { return taps_at(vec4<f32>(round(inner)), vec4<f32>(1.0), extent); }
    let t = behind(inner);
    return taps_at(floor(inner) + vec4<f32>(0.0, 1.0, 0.0, 0.0), vec4<f32>(1.0 - t, t, 0.0, 0.0), extent);
}

// Where a block of an image begins, and how far its pixels are apart.
struct Block { first: u32, pitch: u32 }

fn pixel(b: Block, at: u32, inside: bool) -> Value {
    return select(Value(0.0), Value(x[b.first + at * b.pitch]), inside);
}

fn line(b: Block, row: u32, inside: bool, tx: Taps) -> Value {
    let at = row * p.iw + tx.at;
    if MODE == SAMPLE_NEAREST { return pixel(b, at.x, inside & tx.inside.x); }
    var sum = tx.weight.x * pixel(b, at.x, inside & tx.inside.x) + tx.weight.y * pixel(b, at.y, inside & tx.inside.y);
    if MODE == SAMPLE_BICUBIC {
        sum += tx.weight.z * pixel(b, at.z, inside & tx.inside.z) + tx.weight.w * pixel(b, at.w, inside & tx.inside.w);
    }
    return sum;
}

fn plane(b: Block, iz: u32, inside: bool, ty: Taps, tx: Taps) -> Value {
    let row = iz * p.ih + ty.at;
    if MODE == SAMPLE_NEAREST { return line(b, row.x, inside & ty.inside.x, tx); }
    var sum = ty.weight.x * line(b, row.x, inside & ty.inside.x, tx) + ty.weight.y * line(b, row.y, inside & ty.inside.y, tx);
    if MODE == SAMPLE_BICUBIC {
        sum += ty.weight.z * line(b, row.z, inside & ty.inside.z, tx) + ty.weight.w * line(b, row.w, inside & ty.inside.w, tx);
    }
    return sum;
}

fn volume(b: Block, tz: Taps, ty: Taps, tx: Taps) -> Value {
    let first = plane(b, tz.at.x, tz.inside.x, ty, tx);
    if MODE == SAMPLE_NEAREST { return first; }
    return tz.weight.x * first + tz.weight.y * plane(b, tz.at.y, tz.inside.y, ty, tx);
}

// NaN, but for the padding lanes.
fn lost(block: u32) -> Value {
    if !CHANNELS_LAST { return Value(p.nan); }
    return select(Value(0.0), Value(p.nan), LANE + Word(block * 4u) < Word(p.c));
}

// Which image, point and group of blocks an invocation has.
struct Place { n: u32, o: u32, group: u32 }

fn place_of(i: u32, groups: u32) -> Place {
    if CHANNELS_LAST {
        let point = i / groups;
        return Place(point / p.points, point % p.points, i % groups);
    }
    let row = i / p.points;
    return Place(row / groups, i % p.points, row % groups);
}

// Where pixel or point `at` of `size` is, of one of `count` blocks of image n.
fn element(n: u32, block: u32, count: u32, at: u32, size: u32) -> u32 {
    if CHANNELS_LAST { return (n * size + at) * count + block; }
    return (n * count + block) * size + at;
}

fn compute(i: u32) {
    let count = select(p.c, blocks_of(p.c), CHANNELS_LAST);
    let groups = (count + BLOCKS - 1u) / BLOCKS;
    if i >= p.n * p.points * groups { return; }
    let place = place_of(i, groups);
    let at = (place.n * p.points + place.o) * AXES;
    let g = vec2<f32>(grid[at], grid[at + 1u]);
    let tx = taps_of(g.x, p.iw);
    let ty = taps_of(g.y, p.ih);
    var is_lost = false;
    if LOSES { is_lost = !(is_finite(g.x) & is_finite(g.y)); }
    for (var k = 0u; k < BLOCKS; k++) {
        let block = min(place.group + k * groups, count - 1u);
        let first = element(place.n, block, count, 0u, p.id * p.ih * p.iw);
        let source = Block(first, select(1u, count, CHANNELS_LAST));
        var sum: Value;
        if AXES == 2u { sum = plane(source, 0u, true, ty, tx); }
        if AXES == 3u { sum = volume(source, taps_of(grid[at + 2u], p.id), ty, tx); }
        if is_lost { sum = lost(block); }
        y[element(place.n, block, count, place.o, p.points)] = Element(sum);
    }
}

// Depthwise convolution of row-major images: a channel of x has `multiplier` filters of its own.
//   y[n, oc, oy, ox] = epilogue(sum over ky, kx of x[n, oc / multiplier, oy sy - py + ky dy, ox sx - px + kx dx] w[oc, 0, ky, kx])
//   x: row-major [n, oc / multiplier, ih, iw]   w: row-major [oc, 1, kh, kw]   y, residual: row-major [n, oc, oh, ow]
// One invocation: 4 rows x 8 columns of one channel's outputs, in registers. The window slides along both axes. If the stride is
// `step` dilations, tap k + step uses the inputs that tap k of the next output uses: taps k, k + step, .. of a row need 7 +
// SHIFTS inputs for 8 outputs, and a row of inputs serves 4 rows of outputs, each with its own row of taps; those rows of taps
// advance by one with every row of inputs.
// SHIFTS: the most taps of a row that are step_x apart.
// Inputs beside the window of an output are added times 0, which makes NaN of an infinite one: then the outputs are computed one by
// one. All are tested at once, since a software adapter runs through what a branch skips.
// Compared with conv2d_depthwise: no conversion of row-major tensors.

struct Params {
    planes: u32, multiplier: u32, ih: u32, iw: u32, oc: u32, oh: u32, ow: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32, step_y: u32, step_x: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Inputs or outputs of consecutive columns.
struct Eight { a: f32, b: f32, c: f32, d: f32, e: f32, f: f32, g: f32, h: f32 }

struct Tile { a: Eight, b: Eight, c: Eight, d: Eight }

// Shifts all values to the left by one.
fn slide(v: Eight, next: f32) -> Eight {
    return Eight(v.b, v.c, v.d, v.e, v.f, v.g, v.h, next);
}

fn plus(sum: Eight, v: Eight, tap: f32) -> Eight {
    return Eight(
        sum.a + v.a * tap, sum.b + v.b * tap, sum.c + v.c * tap, sum.d + v.d * tap,
        sum.e + v.e * tap, sum.f + v.f * tap, sum.g + v.g * tap, sum.h + v.h * tap
    );
}

// An input; 0 outside the image, whose rows and columns before the first wrap below 0.
fn load_x(image: u32, iy: u32, ix: u32) -> f32 {
    let inside = iy < p.ih && ix < p.iw;
    return select(0.0, x[select(0u, image + iy * p.iw + ix, inside)], inside);
}

// Tap (ky, kx), 0 beyond the last.
fn tap_at(weights: u32, ky: u32, kx: u32) -> f32 {
    let there = ky < p.kh && kx < p.kw;
    return select(0.0, w[weights + select(0u, ky * p.kw + kx, there)], there);
}

// Taps k, k + step_x, .. of a row.
fn taps(weights: u32, ky: u32, k: u32) -> Eight {
    var t: Eight;
    t.a = tap_at(weights, ky, k);
    if SHIFTS > 1u { t.b = tap_at(weights, ky, k + p.step_x); }
    if SHIFTS > 2u { t.c = tap_at(weights, ky, k + 2u * p.step_x); }
    if SHIFTS > 3u { t.d = tap_at(weights, ky, k + 3u * p.step_x); }
    if SHIFTS > 4u { t.e = tap_at(weights, ky, k + 4u * p.step_x); }
    if SHIFTS > 5u { t.f = tap_at(weights, ky, k + 5u * p.step_x); }
    if SHIFTS > 6u { t.g = tap_at(weights, ky, k + 6u * p.step_x); }
    if SHIFTS > 7u { t.h = tap_at(weights, ky, k + 7u * p.step_x); }
    return t;
}

// The outputs from row oy and column ox on.
fn tile(image: u32, weights: u32, oy: u32, ox: u32) -> Tile {
    var sums: Tile;
    for (var k = 0u; k < min(p.step_x, p.kw); k++) {
        let left = ox * p.sx + k * p.dx - p.px;
        for (var j = 0u; j < min(p.step_y, p.kh); j++) {
            var iy = oy * p.sy + j * p.dy - p.py;
            var t: Tile;
            for (var ky = j; ky < p.kh + 3u * p.step_y; ky += p.step_y) {
                t = Tile(taps(weights, ky, k), t.a, t.b, t.c);
                var v = Eight(
                    load_x(image, iy, left), load_x(image, iy, left + p.sx), load_x(image, iy, left + 2u * p.sx),
                    load_x(image, iy, left + 3u * p.sx), load_x(image, iy, left + 4u * p.sx), load_x(image, iy, left + 5u * p.sx),
                    load_x(image, iy, left + 6u * p.sx), load_x(image, iy, left + 7u * p.sx)
                );
                var u = t;
                for (var shift = 0u; shift < SHIFTS; shift++) {
                    if shift > 0u { v = slide(v, load_x(image, iy, left + (7u + shift) * p.sx)); }
                    sums.a = plus(sums.a, v, u.a.a);
                    sums.b = plus(sums.b, v, u.b.a);
                    sums.c = plus(sums.c, v, u.c.a);
                    sums.d = plus(sums.d, v, u.d.a);
                    u = Tile(slide(u.a, 0.0), slide(u.b, 0.0), slide(u.c, 0.0), slide(u.d, 0.0));
                }
                iy += p.sy;
            }
        }
    }
    return sums;
}

// One output, of the inputs in its window only.
fn alone(image: u32, weights: u32, oy: u32, ox: u32) -> f32 {
    var sum = 0.0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = oy * p.sy + ky * p.dy - p.py;
        if iy >= p.ih { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let ix = ox * p.sx + kx * p.dx - p.px;
            if ix < p.iw { sum += x[image + iy * p.iw + ix] * w[weights + ky * p.kw + kx]; }
        }
    }
    return sum;
}

fn one_by_one(image: u32, weights: u32, oy: u32, ox: u32) -> Tile {
    var sums: Tile;
    for (var row = oy; row < oy + 4u; row++) {
        var v: Eight;
        for (var column = ox; column < ox + 8u; column++) { v = slide(v, alone(image, weights, row, column)); }
        sums = Tile(sums.b, sums.c, sums.d, v);
    }
    return sums;
}

// NaN if a value is, or if infinities of both signs are among them.
fn total(v: Eight) -> f32 {
    return v.a + v.b + v.c + v.d + v.e + v.f + v.g + v.h;
}

fn compute(i: u32) {
    let strips = (p.ow + 7u) / 8u;
    let bands = (p.oh + 3u) / 4u;
    let ox = i % strips * 8u;
    let oy = i / strips % bands * 4u;
    let plane = i / strips / bands;
    if plane >= p.planes { return; }
    let oc = plane % p.oc;
    let image = plane / p.multiplier * p.ih * p.iw;
    let weights = oc * p.kh * p.kw;
    var sums = tile(image, weights, oy, ox);
    if is_nan(total(sums.a) + total(sums.b) + total(sums.c) + total(sums.d)) { sums = one_by_one(image, weights, oy, ox); }
    // Loops, since every store in the text costs compile time.
    for (var row = oy; row < min(oy + 4u, p.oh); row++) {
        for (var column = ox; column < min(ox + 8u, p.ow); column++) {
            let at = (plane * p.oh + row) * p.ow + column;
            y[at] = finish(sums.a.a, oc, at);
            sums.a = slide(sums.a, 0.0);
        }
        sums = Tile(sums.b, sums.c, sums.d, sums.d);
    }
}

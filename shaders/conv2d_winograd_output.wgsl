// Winograd's output transform: the 4x4 outputs A^T m A of every tile, then the epilogue (Lavin and Gray 2015; points as in
// src/reference/winograd.rs).
//   m: [36, tile (n, ty, tx), oc4] of vec4, matrix 6 i + j for element (i, j)   y, residual: channels-last [n, oh, ow, oc4] of vec4
// One invocation: one tile of four channels; outputs beyond the image's edge are dropped.

struct Params {
    n: u32, oh: u32, ow: u32, oc4: u32, th: u32, tw: u32, size: u32,
}

@group(0) @binding(1) var<storage, read> m: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

struct Four { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32> }

const SQRT2: f32 = 1.4142135623730951;

// A^T (m0, .., m5). A term is rounded 5 times at most, the constant included.
fn transform(m0: vec4<f32>, m1: vec4<f32>, m2: vec4<f32>, m3: vec4<f32>, m4: vec4<f32>, m5: vec4<f32>) -> Four {
    let even = m1 + m2;
    let odd = m1 - m2;
    let even2 = m3 + m4;
    let odd2 = m3 - m4;
    return Four(m0 + even + even2, SQRT2 * (0.5 * odd + odd2), 0.5 * even + 2.0 * even2, SQRT2 * (0.25 * odd + 2.0 * odd2) + m5);
}

fn column(at: u32, j: u32) -> Four {
    let stride = p.n * p.th * p.tw * p.oc4;
    let first = j * stride + at;
    return transform(m[first], m[first + 6u * stride], m[first + 12u * stride],
        m[first + 18u * stride], m[first + 24u * stride], m[first + 30u * stride]);
}

// Shifts the values by one.
fn next(s: Four) -> Four {
    return Four(s.b, s.c, s.d, s.a);
}

fn row(n: u32, oy: u32, ox: u32, ob: u32, r: Four) {
    let first = (n * p.oh + oy) * p.ow;
    var s = r;
    for (var pixel = first + ox; pixel < first + min(ox + p.size - 2u, p.ow); pixel++) {
        y[y_at(pixel, ob)] = finish4(s.a, ob, pixel * p.oc4 + ob);
        s = next(s);
    }
}

fn compute(i: u32) {
    if i >= p.n * p.th * p.tw * p.oc4 { return; }
    let ob = i % p.oc4;
    let tile = i / p.oc4;
    let ox = tile % p.tw * 4u;
    let oy = tile / p.tw % p.th * 4u;
    let n = tile / (p.tw * p.th);
    // The loop bound is a param (6), so that the loops are not unrolled: every load and store in the text costs compile time.
    var q: Four; var r: Four; var s: Four; var t: Four; var u: Four; var w: Four;
    for (var k = 0u; k < p.size; k++) {
        q = r; r = s; s = t; t = u; u = w; w = column(i, k);
    }
    for (var k = 0u; k < min(4u, p.oh - oy); k++) {
        row(n, oy + k, ox, ob, transform(q.a, r.a, s.a, t.a, u.a, w.a));
        q = next(q); r = next(r); s = next(s); t = next(t); u = next(u); w = next(w);
    }
}

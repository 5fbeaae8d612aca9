// Winograd's input transform: V = B^T d B of every 6x6 tile d of the padded image; tiles are 4 outputs apart and overlap by 2
// (Lavin and Gray 2015; points as in src/reference/winograd.rs).
//   x: channels-last [n, ih, iw, ic4] of vec4   matrices: [36, tile (n, ty, tx), ic4] of vec4, matrix 6 i + j for element (i, j) of V
// One invocation: one tile of four channels.

struct Params { n: u32, ih: u32, iw: u32, ic4: u32, th: u32, tw: u32, py: u32, px: u32, size: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;

const HALF_SQRT2: f32 = 0.7071067811865476;

// B^T (d0, .., d5). A term is rounded 4 times at most, the constant included.
fn transform(d0: vec4<f32>, d1: vec4<f32>, d2: vec4<f32>, d3: vec4<f32>, d4: vec4<f32>, d5: vec4<f32>) -> Six {
    let even = d4 - 2.0 * d2;
    let odd = HALF_SQRT2 * (d3 - 2.0 * d1);
    let even2 = d4 - 0.5 * d2;
    let odd2 = HALF_SQRT2 * (2.0 * d3 - d1);
    return Six(d0 - 2.5 * d2 + d4, even + odd, even - odd, even2 + odd2, even2 - odd2, d1 - 2.5 * d3 + d5);
}

// Four channels `c` of image `n`; rows and columns before the first wrap around.
fn load(s: Params, n: u32, iy: u32, ix: u32, c: u32) -> vec4<f32> {
    let inside = iy < s.ih && ix < s.iw;
    return select(vec4<f32>(0.0), x[select(0u, ((n * s.ih + iy) * s.iw + ix) * s.ic4 + c, inside)], inside);
}

fn column(s: Params, n: u32, iy: u32, ix: u32, c: u32) -> Six {
    return transform(load(s, n, iy, ix, c), load(s, n, iy + 1u, ix, c), load(s, n, iy + 2u, ix, c),
        load(s, n, iy + 3u, ix, c), load(s, n, iy + 4u, ix, c), load(s, n, iy + 5u, ix, c));
}

fn compute(i: u32) {
    if i >= p.n * p.th * p.tw * p.ic4 { return; }
    let c = i % p.ic4;
    let tile = i / p.ic4;
    let ix = tile % p.tw * 4u - p.px;
    let iy = tile / p.tw % p.th * 4u - p.py;
    let n = tile / (p.tw * p.th);
    // Read once, and not in every iteration.
    let sizes = p;
    // The loop bound is a param (6), so that the loops are not unrolled: every load and store in the text costs compile time.
    var q: Six; var r: Six; var s: Six; var t: Six; var u: Six; var w: Six;
    for (var k = 0u; k < p.size; k++) {
        q = r; r = s; s = t; t = u; u = w; w = column(sizes, n, iy, ix + k, c);
    }
    for (var k = 0u; k < p.size; k++) {
        store_row(i, k, transform(q.a, r.a, s.a, t.a, u.a, w.a), p.n * p.th * p.tw * p.ic4);
        q = next(q); r = next(r); s = next(s); t = next(t); u = next(u); w = next(w);
    }
}

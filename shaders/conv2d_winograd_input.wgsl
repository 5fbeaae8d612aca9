// Winograd's input transform: V = B^T d B of every 6x6 tile d of the padded image; tiles overlap by 2, 4 outputs apart
// (Lavin and Gray 2015; points as in src/reference/winograd.rs).
//   x: channels-last [n, ih, iw, ic4] of vec4   v: [36, tile (n, ty, tx), ic4] of vec4, matrix 6 i + j for element (i, j) of V
// One invocation: one tile of four channels.

struct Params { n: u32, ih: u32, iw: u32, ic4: u32, th: u32, tw: u32, py: u32, px: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> v: array<vec4<f32>>;

struct Six { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32>, f: vec4<f32> }

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
fn load(n: u32, iy: u32, ix: u32, c: u32) -> vec4<f32> {
    if iy >= p.ih || ix >= p.iw { return vec4<f32>(0.0); }
    return x[((n * p.ih + iy) * p.iw + ix) * p.ic4 + c];
}

fn column(n: u32, iy: u32, ix: u32, c: u32) -> Six {
    return transform(load(n, iy, ix, c), load(n, iy + 1u, ix, c), load(n, iy + 2u, ix, c),
        load(n, iy + 3u, ix, c), load(n, iy + 4u, ix, c), load(n, iy + 5u, ix, c));
}

fn row(at: u32, i: u32, r: Six) {
    let stride = p.n * p.th * p.tw * p.ic4;
    let first = 6u * i * stride + at;
    v[first] = r.a; v[first + stride] = r.b; v[first + 2u * stride] = r.c;
    v[first + 3u * stride] = r.d; v[first + 4u * stride] = r.e; v[first + 5u * stride] = r.f;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    if i >= p.n * p.th * p.tw * p.ic4 { return; }
    let c = i % p.ic4;
    let tile = i / p.ic4;
    let ix = tile % p.tw * 4u - p.px;
    let iy = tile / p.tw % p.th * 4u - p.py;
    let n = tile / (p.tw * p.th);
    let q = column(n, iy, ix, c); let r = column(n, iy, ix + 1u, c); let s = column(n, iy, ix + 2u, c);
    let t = column(n, iy, ix + 3u, c); let u = column(n, iy, ix + 4u, c); let w = column(n, iy, ix + 5u, c);
    row(i, 0u, transform(q.a, r.a, s.a, t.a, u.a, w.a)); row(i, 1u, transform(q.b, r.b, s.b, t.b, u.b, w.b));
    row(i, 2u, transform(q.c, r.c, s.c, t.c, u.c, w.c)); row(i, 3u, transform(q.d, r.d, s.d, t.d, u.d, w.d));
    row(i, 4u, transform(q.e, r.e, s.e, t.e, u.e, w.e)); row(i, 5u, transform(q.f, r.f, s.f, t.f, u.f, w.f));
}

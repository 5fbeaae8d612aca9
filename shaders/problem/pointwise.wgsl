// Convolution of one tap (1x1, stride 1, no padding, one group) of row-major images: for every image the product w x of [oc, ic] and
// [ic, hw]. Rows are output channels, columns pixels.
//   y[n, oc, q] = epilogue(sum over ic of w[oc, ic] x[n, ic, q])
//   x: row-major [n, ic, hw]   w: row-major [oc, ic4] of vec4   y, residual: row-major [n, oc, hw]
// Row-major tensors need no conversion, and weights are not packed.

struct Params { n: u32, oc: u32, ic4: u32, hw: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(1) @binding(2) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

// Whether hw is a multiple of 4: then four consecutive elements of a channel are one vec4 of the binding, else parts of two.
override WHOLE: bool = true;

fn blocks() -> u32 {
    return (p.hw + 3u) / 4u;
}

// Four consecutive elements of u, v from position `shift` on.
fn join(u: vec4<f32>, v: vec4<f32>, shift: u32) -> vec4<f32> {
    let two = shift >= 2u;
    let a = select(u, vec4<f32>(u.zw, v.xy), two);
    return select(a, vec4<f32>(a.yzw, select(v.x, v.z, two)), shift % 2u == 1u);
}

// Elements i to i + 3 of x; undefined beyond its end.
fn x4(i: u32) -> vec4<f32> {
    let u = x[i / 4u];
    if WHOLE { return u; }
    return join(u, x[min(i / 4u + 1u, (p.n * p.ic4 * 4u * p.hw - 1u) / 4u)], i % 4u);
}

fn residual4(i: u32) -> vec4<f32> {
    let u = residual[i / 4u];
    if WHOLE { return u; }
    return join(u, residual[min(i / 4u + 1u, (p.n * p.oc * p.hw - 1u) / 4u)], i % 4u);
}

fn matrices() -> u32 {
    return p.n;
}

fn rows() -> u32 {
    return p.oc;
}

fn steps() -> u32 {
    return p.ic4;
}

// The start of a channel's weights; channels beyond the last repeat it.
fn row_at(matrix: u32, oc: u32) -> Row {
    return min(oc, p.oc - 1u) * p.ic4;
}

// The image.
fn weights(n: u32, t: Tap) -> u32 {
    return n;
}

fn row4(at: u32, c: u32) -> vec4<f32> {
    return w[at + c];
}

// Column j: pixels 4 q to 4 q + 3 of channel 4 c + j of image n; undefined beyond the last pixel.
fn block4(n: u32, c: u32, q: u32) -> mat4x4<f32> {
    let i = (n * p.ic4 + c) * 4u * p.hw + q * 4u;
    return mat4x4<f32>(x4(i), x4(i + p.hw), x4(i + 2u * p.hw), x4(i + 3u * p.hw));
}

fn store(n: u32, oc: u32, q: u32, sums: vec4<f32>) {
    let i = (n * p.oc + oc) * p.hw + q * 4u;
    let v = finish_row(sums, oc, i);
    if WHOLE {
        y[i / 4u] = v;
        return;
    }
    for (var j = 0u; j < min(p.hw - q * 4u, 4u); j++) { y[(i + j) / 4u][(i + j) % 4u] = v[j]; }
}

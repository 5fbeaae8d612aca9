// Convolution of one tap (1x1, stride 1, no padding, one group) of row-major images, for subgroups of 8 (software adapters whose
// lanes are SIMD lanes): for every image the product w x of matrices [oc, ic] and [ic, hw], whose rows are whole vec4s.
//   x: row-major [n, ic, hw4] of vec4   w: row-major [oc, ic4] of vec4   y, residual: row-major [n, oc, hw4] of vec4
// One subgroup: ROWS = 8, 16 or 32 channels x 8 lanes x 1 or 2 (PAIR) blocks of 4 pixels, 32 pixels apart; see common/rows8.wgsl.
// Neighbours take neighbouring channels, so that their pixels stay in the cache.
// Over gemm_subgroup8: no conversion of row-major tensors, and weights as they are.

struct Params { n: u32, oc: u32, ic4: u32, hw4: u32, slopes: u32, act_a: f32, act_b: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

override ROWS: u32 = 32;
override PAIR: bool = true;

// Where a channel's weights begin; channels beyond the last repeat it.
fn weights(oc: u32) -> u32 {
    return min(oc, p.oc - 1u) * p.ic4;
}

// Column j: the pixels of vec4 q in channel 4 c + j of image n; pixels beyond the last repeat it.
fn block(n: u32, c: u32, q: u32) -> mat4x4<f32> {
    let i = (n * p.ic4 + c) * 4u * p.hw4 + min(q, p.hw4 - 1u);
    return mat4x4<f32>(x[i], x[i + p.hw4], x[i + 2u * p.hw4], x[i + 3u * p.hw4]);
}

fn store(n: u32, oc: u32, q: u32, v: vec4<f32>) {
    if oc >= p.oc || q >= p.hw4 { return; }
    let i = (n * p.oc + oc) * p.hw4 + q;
    y[i] = finish_row(v, oc, i);
}

fn store_rows(n: u32, oc: u32, q: u32, c: Rows8) {
    store(n, oc, q, c.low[0]); store(n, oc + 1u, q, c.low[1]);
    store(n, oc + 2u, q, c.low[2]); store(n, oc + 3u, q, c.low[3]);
    store(n, oc + 4u, q, c.high[0]); store(n, oc + 5u, q, c.high[1]);
    store(n, oc + 6u, q, c.high[2]); store(n, oc + 7u, q, c.high[3]);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let width = select(8u, 16u, PAIR);
    let columns = (p.hw4 + width - 1u) / width;
    let bands = (p.oc + ROWS - 1u) / ROWS;
    let g = group_id(group, groups);
    let n = g / bands / columns;
    if n >= p.n { return; }
    let q = g / bands % columns * width + lane;
    let oc = g % bands * ROWS;
    let i0 = weights(oc + lane); let i1 = weights(oc + 8u + lane);
    let i2 = weights(oc + 16u + lane); let i3 = weights(oc + 24u + lane);
    var u0 = Rows8(); var u1 = Rows8(); var u2 = Rows8(); var u3 = Rows8();
    var v0 = Rows8(); var v1 = Rows8(); var v2 = Rows8(); var v3 = Rows8();
    for (var c = 0u; c < p.ic4; c++) {
        let xu = block(n, c, q);
        var xv = xu;
        if PAIR { xv = block(n, c, q + 8u); }
        let w0 = w[i0 + c];
        add_rows8(&u0, xu, w0);
        if PAIR { add_rows8(&v0, xv, w0); }
        if ROWS > 8u {
            let w1 = w[i1 + c];
            add_rows8(&u1, xu, w1);
            if PAIR { add_rows8(&v1, xv, w1); }
        }
        if ROWS > 16u {
            let w2 = w[i2 + c];
            add_rows8(&u2, xu, w2);
            if PAIR { add_rows8(&v2, xv, w2); }
            let w3 = w[i3 + c];
            add_rows8(&u3, xu, w3);
            if PAIR { add_rows8(&v3, xv, w3); }
        }
    }
    // Loops, since every store in the text costs compiling time.
    for (var pixels = q; pixels < q + width; pixels += 8u) {
        for (var at = oc; at < min(oc + ROWS, p.oc); at += 8u) {
            store_rows(n, at, pixels, u0);
            u0 = u1; u1 = u2; u2 = u3;
        }
        u0 = v0; u1 = v1; u2 = v2; u3 = v3;
    }
}

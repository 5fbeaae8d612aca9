// Convolution of one tap (1x1, stride 1, no padding, one group) of row-major images, for subgroups of 8 (software adapters whose
// lanes are SIMD lanes): for every image the product w x of matrices [oc, ic] and [ic, hw], whose rows are whole vec4s.
//   x: row-major [n, ic, hw4] of vec4   w: row-major [oc, ic4] of vec4   y, residual: row-major [n, oc, hw4] of vec4
// One subgroup: a tile of common/rows8.wgsl, its rows channels and its columns pixels.
// Over gemm_subgroup8: no conversion of row-major tensors, and weights as they are.

struct Params { n: u32, oc: u32, ic4: u32, hw4: u32, slopes: u32, act_a: f32, act_b: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

// Where a channel's weights begin; channels beyond the last repeat it.
fn weights(oc: u32) -> u32 {
    return min(oc, p.oc - 1u) * p.ic4;
}

fn row4(at: u32, c: u32) -> vec4<f32> {
    return w[at + c];
}

// Column j: the pixels of vec4 q in channel 4 c + j of image n; pixels beyond the last repeat it.
fn block4(n: u32, c: u32, q: u32) -> mat4x4<f32> {
    let i = (n * p.ic4 + c) * 4u * p.hw4 + min(q, p.hw4 - 1u);
    return mat4x4<f32>(x[i], x[i + p.hw4], x[i + 2u * p.hw4], x[i + 3u * p.hw4]);
}

fn store(n: u32, oc: u32, q: u32, v: vec4<f32>) {
    if q >= p.hw4 { return; }
    let i = (n * p.oc + oc) * p.hw4 + q;
    y[i] = finish_row(v, oc, i);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let at = place(group_id(group, groups), p.oc, p.hw4, lane);
    if at.matrix >= p.n { return; }
    let oc = at.row + lane;
    let rows = vec4<u32>(weights(oc), weights(oc + 8u), weights(oc + 16u), weights(oc + 24u));
    var t = Tile();
    multiply(&t, at.matrix, rows, p.ic4, at.column);
    store_tile(&t, at.matrix, at.row, p.oc, at.column);
}

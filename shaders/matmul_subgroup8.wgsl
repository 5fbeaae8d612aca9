// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n], the batch broadcast as in matmul.wgsl, with the same layouts, for
// subgroups of 8 (software adapters whose lanes are SIMD lanes).
// One subgroup: a tile of shared/rows8.wgsl.
// Compared with matmul_register.wgsl: no value is loaded twice in a subgroup.

struct Params {
    batch: u32, m: u32, k: u32, n: u32,
    d0: u32, d1: u32, d2: u32, d3: u32,
    a0: i32, a1: i32, a2: i32, a3: i32,
    b0: i32, b1: i32, b2: i32, b3: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn row4(at: u32, c: u32) -> vec4<f32> {
    return along_a(at, c * 4u);
}

fn block4(first: u32, c: u32, column: u32) -> mat4x4<f32> {
    return block_b(first, c * 4u, column * 4u);
}

fn store(first: u32, row: u32, column: u32, v: vec4<f32>) {
    store4(first, row, column * 4u, v);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let at = place(group_id(group, groups), p.m, (p.n + 3u) / 4u, lane);
    if at.matrix >= p.batch { return; }
    let pair = matrices(at.matrix);
    let first = pair.x * p.m * p.k;
    let row = at.row + lane;
    let rows = vec4<u32>(row_a(first, row), row_a(first, row + 8u), row_a(first, row + 16u), row_a(first, row + 24u));
    var t = Tile();
    multiply(&t, pair.y * p.k * p.n, rows, (p.k + 3u) / 4u, at.column);
    store_tile(&t, at.matrix * p.m * p.n, at.row, p.m, at.column);
}

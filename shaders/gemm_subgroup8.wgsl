// Products of matrices for subgroups of 8 (software adapters whose lanes are SIMD lanes). Formula and operands as in gemm.wgsl.
// One subgroup: ROWS = 8, 16 or 32 consecutive rows x 8 blocks of 4 columns; lane l holds block l of every row. Each lane
// loads a of rows l, l + 8, .. and the subgroup passes it round: no value is loaded twice in a subgroup.
// Over gemm.wgsl: a load costs one lane's time instead of eight, and a is loaded by 1/8 of the lanes that use it.

struct Params { batch: u32, rows: u32, ic4: u32, oc: u32, oc4: u32, slopes: u32, act_a: f32, act_b: f32, y_pitch: u32, y_first: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

override ROWS: u32 = 32;

// Where a row of a begins; rows beyond the last repeat it.
fn begin(matrix: u32, row: u32) -> u32 {
    return (matrix * p.rows + min(row, p.rows - 1u)) * p.ic4;
}

fn store(matrix: u32, row: u32, ob: u32, v: vec4<f32>) {
    if row >= p.rows || ob >= p.oc4 { return; }
    let pixel = matrix * p.rows + row;
    y[y_at(pixel, ob)] = finish4(v, ob, pixel * p.oc4 + ob);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let columns = (p.oc4 + 7u) / 8u;
    let bands = (p.rows + ROWS - 1u) / ROWS;
    let g = group_id(group, groups);
    let k = g / columns / bands;
    if k >= p.batch { return; }
    let ob = g % columns * 8u + lane;
    let row = g / columns % bands * ROWS;
    let first = k * p.ic4 * p.oc4 + min(ob, p.oc4 - 1u);
    let i0 = begin(k, row + lane); let i1 = begin(k, row + 8u + lane);
    let i2 = begin(k, row + 16u + lane); let i3 = begin(k, row + 24u + lane);
    var c0 = vec4<f32>(0.0); var c1 = c0; var c2 = c0; var c3 = c0; var c4 = c0; var c5 = c0; var c6 = c0; var c7 = c0;
    var d0 = c0; var d1 = c0; var d2 = c0; var d3 = c0; var d4 = c0; var d5 = c0; var d6 = c0; var d7 = c0;
    var e0 = c0; var e1 = c0; var e2 = c0; var e3 = c0; var e4 = c0; var e5 = c0; var e6 = c0; var e7 = c0;
    var f0 = c0; var f1 = c0; var f2 = c0; var f3 = c0; var f4 = c0; var f5 = c0; var f6 = c0; var f7 = c0;
    for (var c = 0u; c < p.ic4; c++) {
        let m = w[first + c * p.oc4];
        let x0 = a[i0 + c];
        c0 += m * subgroupBroadcast(x0, 0u); c1 += m * subgroupBroadcast(x0, 1u);
        c2 += m * subgroupBroadcast(x0, 2u); c3 += m * subgroupBroadcast(x0, 3u);
        c4 += m * subgroupBroadcast(x0, 4u); c5 += m * subgroupBroadcast(x0, 5u);
        c6 += m * subgroupBroadcast(x0, 6u); c7 += m * subgroupBroadcast(x0, 7u);
        if ROWS > 8u {
            let x1 = a[i1 + c];
            d0 += m * subgroupBroadcast(x1, 0u); d1 += m * subgroupBroadcast(x1, 1u);
            d2 += m * subgroupBroadcast(x1, 2u); d3 += m * subgroupBroadcast(x1, 3u);
            d4 += m * subgroupBroadcast(x1, 4u); d5 += m * subgroupBroadcast(x1, 5u);
            d6 += m * subgroupBroadcast(x1, 6u); d7 += m * subgroupBroadcast(x1, 7u);
        }
        if ROWS > 16u {
            let x2 = a[i2 + c];
            e0 += m * subgroupBroadcast(x2, 0u); e1 += m * subgroupBroadcast(x2, 1u);
            e2 += m * subgroupBroadcast(x2, 2u); e3 += m * subgroupBroadcast(x2, 3u);
            e4 += m * subgroupBroadcast(x2, 4u); e5 += m * subgroupBroadcast(x2, 5u);
            e6 += m * subgroupBroadcast(x2, 6u); e7 += m * subgroupBroadcast(x2, 7u);
            let x3 = a[i3 + c];
            f0 += m * subgroupBroadcast(x3, 0u); f1 += m * subgroupBroadcast(x3, 1u);
            f2 += m * subgroupBroadcast(x3, 2u); f3 += m * subgroupBroadcast(x3, 3u);
            f4 += m * subgroupBroadcast(x3, 4u); f5 += m * subgroupBroadcast(x3, 5u);
            f6 += m * subgroupBroadcast(x3, 6u); f7 += m * subgroupBroadcast(x3, 7u);
        }
    }
    // A loop, since every store in the text costs compiling time.
    for (var at = row; at < min(row + ROWS, p.rows); at += 8u) {
        store(k, at, ob, c0); store(k, at + 1u, ob, c1); store(k, at + 2u, ob, c2); store(k, at + 3u, ob, c3);
        store(k, at + 4u, ob, c4); store(k, at + 5u, ob, c5); store(k, at + 6u, ob, c6); store(k, at + 7u, ob, c7);
        c0 = d0; c1 = d1; c2 = d2; c3 = d3; c4 = d4; c5 = d5; c6 = d6; c7 = d7;
        d0 = e0; d1 = e1; d2 = e2; d3 = e3; d4 = e4; d5 = e5; d6 = e6; d7 = e7;
        e0 = f0; e1 = f1; e2 = f2; e3 = f3; e4 = f4; e5 = f5; e6 = f6; e7 = f7;
    }
}

// Products of matrices for subgroups of 8 (software adapters whose lanes are SIMD lanes). Formula and operands as in gemm.wgsl.
// One subgroup: a tile of shared/rows8.wgsl.
// Compared with gemm.wgsl: a load costs one lane's time instead of eight, and no value is loaded twice in a subgroup.

struct Params { batch: u32, rows: u32, ic4: u32, oc4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

// The start of a row of a; rows beyond the last repeat it.
fn begin(matrix: u32, row: u32) -> u32 {
    return (matrix * p.rows + min(row, p.rows - 1u)) * p.ic4;
}

fn row4(at: u32, c: u32) -> vec4<f32> {
    return vec4<f32>(a[at + c]);
}

// Blocks beyond the last repeat it.
fn block4(matrix: u32, c: u32, ob: u32) -> mat4x4<f32> {
    return mat4x4<f32>(w[(matrix * p.ic4 + c) * p.oc4 + min(ob, p.oc4 - 1u)]);
}

fn store(matrix: u32, row: u32, ob: u32, v: vec4<f32>) {
    if ob >= p.oc4 { return; }
    let pixel = matrix * p.rows + row;
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(v, ob, pixel * p.oc4 + ob));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let at = place(group_id(group, groups), p.rows, p.oc4, lane);
    if at.matrix >= p.batch { return; }
    let row = at.row + lane;
    let rows = vec4<u32>(begin(at.matrix, row), begin(at.matrix, row + 8u), begin(at.matrix, row + 16u), begin(at.matrix, row + 24u));
    var t = Tile();
    multiply(&t, at.matrix, rows, p.ic4, at.column);
    store_tile(&t, at.matrix, at.row, p.rows, at.column);
}

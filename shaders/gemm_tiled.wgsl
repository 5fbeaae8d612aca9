// Products of matrices by tiles in workgroup memory, for hardware. Formula and operands as in gemm.wgsl; with splits,
// y: [splits, matrices, rows, oc4], their sums, and no epilogue.
// A workgroup and an invocation: see shared/tiled.wgsl.
// Compared with gemm.wgsl: a value is loaded from memory once per workgroup, not once per invocation.

struct Params {
    matrices: u32, rows: u32, blocks: u32, steps: u32, share: u32, splits: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Written>>;

// The index of a row's first block; the block; the index in the first block of k.
alias Row = u32;
alias Step = u32;
alias Column = u32;
// As it is stored.
alias Loaded = vec4<Stored>;

fn row_at(at: Place, r: u32) -> Row {
    return (at.matrix * p.rows + min(r, p.rows - 1u)) * p.steps;
}

fn step_at(k: u32) -> Step {
    return k;
}

fn onward(s: Step) -> Step {
    return s + 4u;
}

fn inside(r: Row, s: Step) -> bool {
    return true;
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    return a[select(0u, r + s, ok)];
}

fn column_at(at: Place, block: u32, j: u32) -> Column {
    return 4u * (at.matrix * p.steps * p.blocks + min(block, p.blocks - 1u)) + j;
}

fn load_w(column: Column, k: u32, ok: bool) -> Loaded {
    return w[select(0u, 4u * k * p.blocks + column, ok)];
}

fn store(at: Place, r: u32, block: u32, v: vec4<f32>) {
    let pixel = at.matrix * p.rows + r;
    let before = at.split * p.matrices * p.rows * p.blocks;
    y[before + y_at(pixel, block)] = vec4<Written>(finish4(v, block, pixel * p.blocks + block));
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = place(group_id(group, groups));
    if at.split >= p.splits { return; }
    store_tile(at, lane, tile(at, lane));
}

// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n], the batch broadcast as in matmul.wgsl, with the same layouts, by tiles in
// workgroup memory, for hardware; with splits, y: [splits, batch, m, n], their sums.
// A workgroup and an invocation: see shared/tiled.wgsl, whose matrices are the batch, rows m, columns n.
// Compared with matmul_register.wgsl: a value is loaded from memory once per workgroup, not once per invocation.

struct Params {
    batch: u32, m: u32, k: u32, n: u32,
    d0: u32, d1: u32, d2: u32, d3: u32,
    a0: i32, a1: i32, a2: i32, a3: i32,
    b0: i32, b1: i32, b2: i32, b3: i32,
    matrices: u32, rows: u32, blocks: u32, steps: u32, share: u32, splits: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The index of a row's first element; the block.
alias Row = u32;
alias Step = u32;
alias Loaded = vec4<f32>;

// Where b begins; the row of every block of k; the first column.
struct Column { first: u32, j: u32, n: u32 }

fn row_at(at: Place, r: u32) -> Row {
    return row_a(matrices(at.matrix).x * p.m * p.k, r);
}

fn step_at(k: u32) -> Step {
    return k;
}

fn onward(s: Step) -> Step {
    return s + 4u;
}

fn column_at(at: Place, block: u32, j: u32) -> Column {
    return Column(matrices(at.matrix).y * p.k * p.n, j, 4u * block);
}

fn inside(r: Row, s: Step) -> bool {
    return true;
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    return along_a(r, select(0u, 4u * s, ok));
}

fn load_w(c: Column, k: u32, ok: bool) -> Loaded {
    return load_b(c.first, select(0u, 4u * k + c.j, ok), c.n);
}

fn store(at: Place, r: u32, block: u32, v: vec4<f32>) {
    store4((at.split * p.batch + at.matrix) * p.m * p.n, r, 4u * block, v);
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = place(group_id(group, groups));
    if at.split >= p.splits { return; }
    store_tile(at, lane, tile(at, lane));
}

// Products of matrices for subgroups of 8 (software adapters whose lanes are SIMD lanes). Formula and operands as in gemm.wgsl.
// One subgroup: ROWS = 8, 16 or 32 rows x 8 lanes x 1 or 2 (PAIR) blocks of 4 columns, 32 columns apart; see common/rows8.wgsl.
// Neighbours take neighbouring rows, so that their columns of w stay in the cache.
// Over gemm.wgsl: a load costs one lane's time instead of eight, and no value is loaded twice in a subgroup.

struct Params { batch: u32, rows: u32, ic4: u32, oc: u32, oc4: u32, slopes: u32, act_a: f32, act_b: f32, y_pitch: u32, y_first: u32 }

// The element type of a, y, the residual and the packed weights.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<Stored>>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<Stored>>;

override ROWS: u32 = 32;
override PAIR: bool = true;

// Where a row of a begins; rows beyond the last repeat it.
fn begin(matrix: u32, row: u32) -> u32 {
    return (matrix * p.rows + min(row, p.rows - 1u)) * p.ic4;
}

// Block c of the inner dimension, for a block of columns; blocks beyond the last repeat it.
fn block(matrix: u32, c: u32, ob: u32) -> mat4x4<f32> {
    return mat4x4<f32>(w[(matrix * p.ic4 + c) * p.oc4 + min(ob, p.oc4 - 1u)]);
}

fn store(matrix: u32, row: u32, ob: u32, v: vec4<f32>) {
    if row >= p.rows || ob >= p.oc4 { return; }
    let pixel = matrix * p.rows + row;
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(v, ob, pixel * p.oc4 + ob));
}

fn store_rows(matrix: u32, row: u32, ob: u32, c: Rows8) {
    store(matrix, row, ob, c.low[0]); store(matrix, row + 1u, ob, c.low[1]);
    store(matrix, row + 2u, ob, c.low[2]); store(matrix, row + 3u, ob, c.low[3]);
    store(matrix, row + 4u, ob, c.high[0]); store(matrix, row + 5u, ob, c.high[1]);
    store(matrix, row + 6u, ob, c.high[2]); store(matrix, row + 7u, ob, c.high[3]);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let width = select(8u, 16u, PAIR);
    let columns = (p.oc4 + width - 1u) / width;
    let bands = (p.rows + ROWS - 1u) / ROWS;
    let g = group_id(group, groups);
    let k = g / bands / columns;
    if k >= p.batch { return; }
    let ob = g / bands % columns * width + lane;
    let row = g % bands * ROWS;
    let i0 = begin(k, row + lane); let i1 = begin(k, row + 8u + lane);
    let i2 = begin(k, row + 16u + lane); let i3 = begin(k, row + 24u + lane);
    var u0 = Rows8(); var u1 = Rows8(); var u2 = Rows8(); var u3 = Rows8();
    var v0 = Rows8(); var v1 = Rows8(); var v2 = Rows8(); var v3 = Rows8();
    for (var c = 0u; c < p.ic4; c++) {
        let wu = block(k, c, ob);
        var wv = wu;
        if PAIR { wv = block(k, c, ob + 8u); }
        let x0 = vec4<f32>(a[i0 + c]);
        add_rows8(&u0, wu, x0);
        if PAIR { add_rows8(&v0, wv, x0); }
        if ROWS > 8u {
            let x1 = vec4<f32>(a[i1 + c]);
            add_rows8(&u1, wu, x1);
            if PAIR { add_rows8(&v1, wv, x1); }
        }
        if ROWS > 16u {
            let x2 = vec4<f32>(a[i2 + c]);
            add_rows8(&u2, wu, x2);
            if PAIR { add_rows8(&v2, wv, x2); }
            let x3 = vec4<f32>(a[i3 + c]);
            add_rows8(&u3, wu, x3);
            if PAIR { add_rows8(&v3, wv, x3); }
        }
    }
    // Loops, since every store in the text costs compiling time.
    for (var block = ob; block < ob + width; block += 8u) {
        for (var at = row; at < min(row + ROWS, p.rows); at += 8u) {
            store_rows(k, at, block, u0);
            u0 = u1; u1 = u2; u2 = u3;
        }
        u0 = v0; u1 = v1; u2 = v2; u3 = v3;
    }
}

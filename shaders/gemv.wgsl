// A few rows times a matrix, then the epilogue: y[row, oc] = sum over ic of a[row, ic] w[ic, oc], up to 4 rows.
//   a, w, y: shared/gemm.wgsl, with one matrix
// A workgroup: 2 blocks of columns, the inner dimension spread over 32 slices of 8 invocations that read 128 consecutive bytes.
// An invocation: one column of every 32nd block of w, for every row; then the sums of all slices are added in a fixed tree.
// Compared with engine/workgroup.wgsl: the number of workgroups depends on the columns alone, and all loaded values are used.

const WORKGROUP = 256u;

// Column j of a mat4x4: the sums of row j.
var<workgroup> sums: array<mat4x4<f32>, WORKGROUP>;

// 0 beyond the last row or block. Loads without a branch, so that several are in flight at a time.
fn load_a(row: u32, c: u32, j: u32) -> f32 {
    let v = f32(a[min(row, p.rows - 1u) * p.ic4 + min(c, p.ic4 - 1u)][j]);
    return select(0.0, v, row < p.rows && c < p.ic4);
}

fn load_w(c: u32, column: u32) -> vec4<f32> {
    let v = vec4<f32>(w[4u * min(c, p.ic4 - 1u) * p.oc4 + column]);
    return select(vec4<f32>(0.0), v, c < p.ic4);
}

// Adds the terms of column j of block c of w to the sums.
fn terms(sum: mat4x4<f32>, c: u32, j: u32, v: vec4<f32>) -> mat4x4<f32> {
    var t = sum;
    t[0] += load_a(0u, c, j) * v;
    if p.rows > 1u {
        t[1] += load_a(1u, c, j) * v;
        t[2] += load_a(2u, c, j) * v;
        t[3] += load_a(3u, c, j) * v;
    }
    return t;
}

fn store(row: u32, ob: u32, v: vec4<f32>) {
    if row >= p.rows || ob >= p.oc4 { return; }
    y[y_at(row, ob)] = vec4<Written>(finish4(v, ob, row * p.oc4 + ob));
}

fn compute(group: u32, lane: u32) {
    let first = 2u * group;
    if first >= p.oc4 { return; }
    // Lane = 8 slice + 4 block + column; a block beyond the last repeats it.
    let j = lane % 4u;
    let ob = min(first + lane / 4u % 2u, p.oc4 - 1u);
    var sum: mat4x4<f32>;
    for (var c = lane / 8u; c < p.ic4; c += 128u) {
        let v0 = load_w(c, 4u * ob + j);
        let v1 = load_w(c + 32u, 4u * ob + j);
        let v2 = load_w(c + 64u, 4u * ob + j);
        let v3 = load_w(c + 96u, 4u * ob + j);
        sum = terms(terms(terms(terms(sum, c, j, v0), c + 32u, j, v1), c + 64u, j, v2), c + 96u, j, v3);
    }
    sums[lane] = sum;
    workgroupBarrier();
    // Adds halves of the slices, then the columns of a block.
    for (var half = 128u; half >= 8u; half /= 2u) {
        if lane < half { sums[lane] = sums[lane] + sums[lane + half]; }
        workgroupBarrier();
    }
    if j != 0u || lane >= 8u { return; }
    let all = sums[lane] + sums[lane + 1u] + (sums[lane + 2u] + sums[lane + 3u]);
    let block = first + lane / 4u;
    store(0u, block, all[0]); store(1u, block, all[1]); store(2u, block, all[2]); store(3u, block, all[3]);
}

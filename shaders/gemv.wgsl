// A few rows times a matrix, then the epilogue: y[row, oc] = sum over ic of a[row, ic] w[ic, oc], up to 4 rows.
//   a, w, y: shared/gemm.wgsl, with one matrix
// A workgroup: 2 blocks of columns, the inner dimension spread over 32 slices of 8 invocations that read 128 consecutive bytes.
// An invocation: one column of every 32nd block of w, for every row; then the sums of all slices are added in a fixed tree.
// Compared with engine/workgroup.wgsl: the number of workgroups depends on the columns alone, and all loaded values are used.

const WORKGROUP = 256u;

// Column j of a mat4x4: the sums of row j.
var<workgroup> sums: array<mat4x4<f32>, WORKGROUP>;

// More than one row.
override MANY: bool = false;

fn value(s: Params, row: u32, c: u32, j: u32) -> Stored {
    return a[min(row, s.rows - 1u) * s.ic4 + min(c, s.ic4 - 1u)][j];
}

// The values of all rows for column j of block c of w.
fn values(s: Params, c: u32, j: u32) -> vec4<Stored> {
    if MANY { return vec4<Stored>(value(s, 0u, c, j), value(s, 1u, c, j), value(s, 2u, c, j), value(s, 3u, c, j)); }
    return vec4<Stored>(value(s, 0u, c, j));
}

fn column(s: Params, c: u32, at: u32) -> vec4<Stored> {
    return w[4u * min(c, s.ic4 - 1u) * s.oc4 + at];
}

// Adds the terms of a column of block c; there are none beyond the last block.
fn terms(s: Params, sum: mat4x4<f32>, c: u32, column: vec4<Stored>, values: vec4<Stored>) -> mat4x4<f32> {
    let w = select(vec4<f32>(0.0), vec4<f32>(column), c < s.ic4);
    let v = select(vec4<f32>(0.0), vec4<f32>(values), c < s.ic4);
    var t = sum;
    t[0] += v.x * w;
    if MANY { t[1] += v.y * w; t[2] += v.z * w; t[3] += v.w * w; }
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
    // Read once, and not in every iteration.
    let s = p;
    var sum: mat4x4<f32>;
    for (var c = lane / 8u; c < s.ic4; c += 128u) {
        // All loads before the first product, and none in a branch: they are in flight together.
        let w0 = column(s, c, 4u * ob + j); let w1 = column(s, c + 32u, 4u * ob + j);
        let w2 = column(s, c + 64u, 4u * ob + j); let w3 = column(s, c + 96u, 4u * ob + j);
        let v0 = values(s, c, j); let v1 = values(s, c + 32u, j); let v2 = values(s, c + 64u, j); let v3 = values(s, c + 96u, j);
        sum = terms(s, sum, c, w0, v0);
        sum = terms(s, sum, c + 32u, w1, v1);
        sum = terms(s, sum, c + 64u, w2, v2);
        sum = terms(s, sum, c + 96u, w3, v3);
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

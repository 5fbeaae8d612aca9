// Products of matrices, then the epilogue: y[k, row, oc] = sum over ic of a[k, row, ic] w[k, ic, oc] for every k of the batch.
// With one matrix this is a 1x1 convolution whose rows are pixels; with 36 it is the product step of Winograd's algorithm.
//   a: [batch, rows, ic4] of vec4       w: [batch, ic4, oc4] of 4x4 blocks as in conv2d_pack.wgsl
//   y, residual: [batch, rows, oc4] of vec4
// One invocation: 8 consecutive rows x 1 or 2 blocks of 4 columns, held in registers.

struct Params { batch: u32, rows: u32, ic4: u32, oc4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

// Two blocks of columns per invocation, or one.
override PAIR: bool = true;

// The start of a row of a; rows beyond the last repeat it.
fn begin(matrix: u32, row: u32) -> u32 {
    return (matrix * p.rows + min(row, p.rows - 1u)) * p.ic4;
}

fn store(matrix: u32, row: u32, ob: u32, u: vec4<f32>, v: vec4<f32>) {
    let pixel = matrix * p.rows + row;
    let i = pixel * p.oc4 + ob;
    y[y_at(pixel, ob)] = finish4(u, ob, i);
    if PAIR && ob + 1u < p.oc4 { y[y_at(pixel, ob + 1u)] = finish4(v, ob + 1u, i + 1u); }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let columns = select(p.oc4, (p.oc4 + 1u) / 2u, PAIR);
    let bands = (p.rows + 7u) / 8u;
    let k = i / columns / bands;
    if k >= p.batch { return; }
    let ob = i % columns * select(1u, 2u, PAIR);
    let second = min(ob + 1u, p.oc4 - 1u);
    let row = i / columns % bands * 8u;
    let i0 = begin(k, row); let i1 = begin(k, row + 1u); let i2 = begin(k, row + 2u); let i3 = begin(k, row + 3u);
    let i4 = begin(k, row + 4u); let i5 = begin(k, row + 5u); let i6 = begin(k, row + 6u); let i7 = begin(k, row + 7u);
    var u0 = vec4<f32>(0.0); var u1 = u0; var u2 = u0; var u3 = u0; var u4 = u0; var u5 = u0; var u6 = u0; var u7 = u0;
    var v0 = u0; var v1 = u0; var v2 = u0; var v3 = u0; var v4 = u0; var v5 = u0; var v6 = u0; var v7 = u0;
    for (var c = 0u; c < p.ic4; c++) {
        let x0 = a[i0 + c]; let x1 = a[i1 + c]; let x2 = a[i2 + c]; let x3 = a[i3 + c];
        let x4 = a[i4 + c]; let x5 = a[i5 + c]; let x6 = a[i6 + c]; let x7 = a[i7 + c];
        let r = (k * p.ic4 + c) * p.oc4;
        let wu = w[r + ob];
        u0 += wu * x0; u1 += wu * x1; u2 += wu * x2; u3 += wu * x3;
        u4 += wu * x4; u5 += wu * x5; u6 += wu * x6; u7 += wu * x7;
        if PAIR {
            let wv = w[r + second];
            v0 += wv * x0; v1 += wv * x1; v2 += wv * x2; v3 += wv * x3;
            v4 += wv * x4; v5 += wv * x5; v6 += wv * x6; v7 += wv * x7;
        }
    }
    // A loop, since every store in the text costs compile time.
    for (var at = row; at < min(row + 8u, p.rows); at++) {
        store(k, at, ob, u0, v0);
        u0 = u1; u1 = u2; u2 = u3; u3 = u4; u4 = u5; u5 = u6; u6 = u7;
        v0 = v1; v1 = v2; v2 = v3; v3 = v4; v4 = v5; v5 = v6; v6 = v7;
    }
}

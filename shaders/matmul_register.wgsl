// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n], the batch broadcast as in matmul.wgsl, with the same layouts.
// One invocation: 8 rows x 8 columns of y in registers, k in steps of 4.
// Compared with matmul.wgsl: every value of a is used 8 times, every value of b 8 times; vec4 loads where rows are whole vec4s.

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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let columns = (p.n + 7u) / 8u;
    let rows = (p.m + 7u) / 8u;
    if i >= p.batch * rows * columns { return; }
    let n = i % columns * 8u;
    let m = i / columns % rows * 8u;
    let z = i / columns / rows;
    let pair = matrices(z);
    let fa = pair.x * p.m * p.k;
    let fb = pair.y * p.k * p.n;
    let fy = z * p.m * p.n;
    var c0 = vec4<f32>(0.0); var c1 = c0; var c2 = c0; var c3 = c0; var c4 = c0; var c5 = c0; var c6 = c0; var c7 = c0;
    var d0 = c0; var d1 = c0; var d2 = c0; var d3 = c0; var d4 = c0; var d5 = c0; var d6 = c0; var d7 = c0;
    for (var k = 0u; k < p.k; k += 4u) {
        let wc = block_b(fb, k, n);
        let wd = block_b(fb, k, n + 4u);
        let r0 = load_a(fa, m, k); c0 += wc * r0; d0 += wd * r0;
        let r1 = load_a(fa, m + 1u, k); c1 += wc * r1; d1 += wd * r1;
        let r2 = load_a(fa, m + 2u, k); c2 += wc * r2; d2 += wd * r2;
        let r3 = load_a(fa, m + 3u, k); c3 += wc * r3; d3 += wd * r3;
        let r4 = load_a(fa, m + 4u, k); c4 += wc * r4; d4 += wd * r4;
        let r5 = load_a(fa, m + 5u, k); c5 += wc * r5; d5 += wd * r5;
        let r6 = load_a(fa, m + 6u, k); c6 += wc * r6; d6 += wd * r6;
        let r7 = load_a(fa, m + 7u, k); c7 += wc * r7; d7 += wd * r7;
    }
    // A loop, since every store in the text costs compile time.
    for (var at = m; at < min(m + 8u, p.m); at++) {
        store4(fy, at, n, c0); store4(fy, at, n + 4u, d0);
        c0 = c1; c1 = c2; c2 = c3; c3 = c4; c4 = c5; c5 = c6; c6 = c7;
        d0 = d1; d1 = d2; d2 = d3; d3 = d4; d4 = d5; d5 = d6; d6 = d7;
    }
}

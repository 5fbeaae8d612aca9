// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n], the batch broadcast as in matmul.wgsl, with the same layouts, for
// subgroups of 8 (software adapters whose lanes are SIMD lanes).
// One subgroup: ROWS = 8, 16 or 32 rows x 8 lanes x 1 or 2 (PAIR) blocks of 4 columns, 32 columns apart; see common/rows8.wgsl.
// Neighbours take neighbouring rows, so that their columns of b stay in the cache.
// Over matmul_tiled.wgsl: no value is loaded twice in a subgroup.

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

override ROWS: u32 = 32;
override PAIR: bool = true;

fn store_rows(first: u32, m: u32, n: u32, c: Rows8) {
    store4(first, m, n, c.low[0]); store4(first, m + 1u, n, c.low[1]);
    store4(first, m + 2u, n, c.low[2]); store4(first, m + 3u, n, c.low[3]);
    store4(first, m + 4u, n, c.high[0]); store4(first, m + 5u, n, c.high[1]);
    store4(first, m + 6u, n, c.high[2]); store4(first, m + 7u, n, c.high[3]);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let width = select(32u, 64u, PAIR);
    let columns = (p.n + width - 1u) / width;
    let bands = (p.m + ROWS - 1u) / ROWS;
    let g = group_id(group, groups);
    let z = g / bands / columns;
    if z >= p.batch { return; }
    let n = g / bands % columns * width + lane * 4u;
    let m = g % bands * ROWS;
    let pair = matrices(z);
    let fa = pair.x * p.m * p.k;
    let fb = pair.y * p.k * p.n;
    var u0 = Rows8(); var u1 = Rows8(); var u2 = Rows8(); var u3 = Rows8();
    var v0 = Rows8(); var v1 = Rows8(); var v2 = Rows8(); var v3 = Rows8();
    for (var k = 0u; k < p.k; k += 4u) {
        let bu = block_b(fb, k, n);
        var bv = bu;
        if PAIR { bv = block_b(fb, k, n + 32u); }
        let a0 = load_a(fa, m + lane, k);
        add_rows8(&u0, bu, a0);
        if PAIR { add_rows8(&v0, bv, a0); }
        if ROWS > 8u {
            let a1 = load_a(fa, m + 8u + lane, k);
            add_rows8(&u1, bu, a1);
            if PAIR { add_rows8(&v1, bv, a1); }
        }
        if ROWS > 16u {
            let a2 = load_a(fa, m + 16u + lane, k);
            add_rows8(&u2, bu, a2);
            if PAIR { add_rows8(&v2, bv, a2); }
            let a3 = load_a(fa, m + 24u + lane, k);
            add_rows8(&u3, bu, a3);
            if PAIR { add_rows8(&v3, bv, a3); }
        }
    }
    // Loops, since every store in the text costs compiling time.
    for (var column = n; column < n + width; column += 32u) {
        for (var at = m; at < min(m + ROWS, p.m); at += 8u) {
            store_rows(z * p.m * p.n, at, column, u0);
            u0 = u1; u1 = u2; u2 = u3;
        }
        u0 = v0; u1 = v1; u2 = v2; u3 = v3;
    }
}

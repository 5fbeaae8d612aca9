
// --- shared/matmul.wgsl ---
// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n] for row-major matrices whose batches are broadcast: z = [d0, .., d3], strides
// a_j and b_j, in matrices.

struct Params {
    batch: u32, m: u32, k: u32, n: u32,
    d0: u32, d1: u32, d2: u32, d3: u32,
    a0: i32, a1: i32, a2: i32, a3: i32,
    b0: i32, b1: i32, b2: i32, b3: i32,
    share: u32, splits: u32,
}

// The matrices of a and of b for matrix z of the result.
fn pair_of(z: u32) -> vec2<u32> {
    let z2 = z / p.d3;
    let z1 = z2 / p.d2;
    let z0 = z1 / p.d1;
    let at = i32(z % p.d3) * vec2<i32>(p.a3, p.b3) + i32(z2 % p.d2) * vec2<i32>(p.a2, p.b2)
        + i32(z1 % p.d1) * vec2<i32>(p.a1, p.b1) + i32(z0) * vec2<i32>(p.a0, p.b0);
    return vec2<u32>(at);
}

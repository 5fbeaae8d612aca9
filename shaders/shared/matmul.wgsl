
// --- shared/matmul.wgsl ---
// The matrices of a and of b for matrix z of the result: z = [d0, .., d3], strides a_j and b_j, in
// matrices.
fn matrices(z: u32) -> vec2<u32> {
    let z2 = z / p.d3;
    let z1 = z2 / p.d2;
    let z0 = z1 / p.d1;
    let at = i32(z % p.d3) * vec2<i32>(p.a3, p.b3) + i32(z2 % p.d2) * vec2<i32>(p.a2, p.b2)
        + i32(z1 % p.d1) * vec2<i32>(p.a1, p.b1) + i32(z0) * vec2<i32>(p.a0, p.b0);
    return vec2<u32>(at);
}

// Products of row-major matrices: y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n].
//   a, b, y: shared/matmul4.wgsl

fn weights(matrix: u32, t: Tap) -> u32 {
    return pair_of(matrix).y * p.k * p.n;
}

fn row4(at: u32, c: u32) -> vec4<f32> {
    return along_a(at, c * 4u);
}

fn block4(first: u32, c: u32, block: u32) -> mat4x4<f32> {
    return block_b(first, c * 4u, block * 4u);
}

fn store(matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    store4(matrix * p.m * p.n, r, block * 4u, v);
}

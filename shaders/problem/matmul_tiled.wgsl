// Products of row-major matrices by tiles in workgroup memory, for hardware: y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n].
//   a, b, y: shared/matmul4.wgsl; with splits, y: [splits, batch, m, n], their sums

// Four elements, of which the first `count` are inside the matrix.
struct Loaded { v: vec4<f32>, count: u32 }

fn values(l: Loaded) -> vec4<f32> {
    if K4 { return l.v; }
    return select(vec4<f32>(0.0), l.v, FOUR < vec4<u32>(l.count));
}

// Where b begins; the row of every block of k; the first column.
struct Column { first: u32, j: u32, n: u32 }

fn column_at(matrix: u32, block: u32, j: u32) -> Column {
    return Column(pair_of(matrix).y * p.k * p.n, j, 4u * block);
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    let k = select(0u, 4u * s, ok);
    return Loaded(four_a(r + k), p.k - k);
}

fn load_w(c: Column, k: u32, ok: bool) -> Loaded {
    let row = select(0u, 4u * k + c.j, ok);
    return Loaded(four_b(c.first, row, c.n), select(0u, 4u, row < p.k));
}

fn store_sums(split: u32, matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    store4((split * p.batch + matrix) * p.m * p.n, r, 4u * block, v);
}

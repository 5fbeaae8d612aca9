// Products of row-major matrices by tiles in workgroup memory, for hardware: y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n].
//   a, b, y: shared/matmul4.wgsl; with splits, y: [splits, batch, m, n], their sums

alias Loaded = vec4<f32>;

// Where b begins; the row of every block of k; the first column.
struct Column { first: u32, j: u32, n: u32 }

fn column_at(matrix: u32, block: u32, j: u32) -> Column {
    return Column(pair_of(matrix).y * p.k * p.n, j, 4u * block);
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    return along_a(r, select(0u, 4u * s, ok));
}

fn load_w(c: Column, k: u32, ok: bool) -> Loaded {
    return load_b(c.first, select(0u, 4u * k + c.j, ok), c.n);
}

fn store_sums(split: u32, matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    store4((split * p.batch + matrix) * p.m * p.n, r, 4u * block, v);
}

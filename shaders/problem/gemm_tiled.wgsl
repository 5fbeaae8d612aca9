// Products of matrices by tiles in workgroup memory, for hardware, then the epilogue: y[k, row, oc] = epilogue(sum over ic of
// a[k, row, ic] w[k, ic, oc]) for every k of the batch.
//   a, w, y: shared/gemm.wgsl; with splits, y: [splits, batch, rows, oc4], their sums, and no epilogue

// The index in the first block of k.
alias Column = u32;
// As it is stored.
alias Loaded = vec4<Stored>;

fn values(v: Loaded) -> vec4<f32> {
    return vec4<f32>(v);
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    return a[select(0u, r + s, ok)];
}

fn column_at(matrix: u32, block: u32, j: u32) -> Column {
    return 4u * (matrix * steps() * blocks() + min(block, blocks() - 1u)) + j;
}

fn load_w(column: Column, k: u32, ok: bool) -> Loaded {
    return w[select(0u, 4u * k * blocks() + column, ok)];
}

fn store_sums(split: u32, matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    let pixel = matrix * rows() + r;
    let before = split * matrices() * rows() * blocks();
    y[before + y_at(pixel, block)] = vec4<Written>(finish4(v, block, pixel * blocks() + block));
}


// --- shared/gemm.wgsl ---
// A batch of products of matrices: their sizes and tensors. Columns and the inner dimension are counted in blocks of four.
//   a: [batch, rows, ic4] of vec4   w: [batch, ic4, oc4] of 4x4 blocks   y: [batch, rows, oc4] of vec4

struct Params { batch: u32, rows: u32, ic4: u32, oc4: u32, share: u32, splits: u32 }

@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Written>>;

fn matrices() -> u32 {
    return p.batch;
}

fn rows() -> u32 {
    return p.rows;
}

fn blocks() -> u32 {
    return p.oc4;
}

fn steps() -> u32 {
    return p.ic4;
}

// Where a row of a begins; rows beyond the last repeat it.
fn row_at(matrix: u32, r: u32) -> u32 {
    return (matrix * p.rows + min(r, p.rows - 1u)) * p.ic4;
}

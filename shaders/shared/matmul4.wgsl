
// --- shared/matmul4.wgsl ---
// The matrices of shared/matmul.wgsl by four consecutive elements at a time. `first` is where a matrix begins.

@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Whether k, and n, is a multiple of 4.
override K4: bool = false;
override N4: bool = false;

const FOUR = vec4<u32>(0u, 1u, 2u, 3u);

// Elements i to i + 3 for an i that is not a multiple of 4; beyond the end the last element is repeated. Not a loop: lavapipe
// stops an invocation's loops after 65 535 iterations in all.
fn a_scalars(i: u32) -> vec4<f32> {
    let at = min(FOUR + i, vec4<u32>(4u * arrayLength(&a) - 1u));
    let q = at / 4u;
    let r = at % 4u;
    return vec4<f32>(a[q.x][r.x], a[q.y][r.y], a[q.z][r.z], a[q.w][r.w]);
}

fn b_scalars(i: u32) -> vec4<f32> {
    let at = min(FOUR + i, vec4<u32>(4u * arrayLength(&b) - 1u));
    let q = at / 4u;
    let r = at % 4u;
    return vec4<f32>(b[q.x][r.x], b[q.y][r.y], b[q.z][r.z], b[q.w][r.w]);
}

// The start of row m of a; rows beyond the last repeat the last.
fn row_a(first: u32, m: u32) -> u32 {
    return first + min(m, p.m - 1u) * p.k;
}

// Elements i to i + 3 of a, whatever row they are of.
fn four_a(i: u32) -> vec4<f32> {
    if K4 { return a[i / 4u]; }
    return a_scalars(i);
}

// Elements k to k + 3 of the row of a that begins at `row`, 0 beyond its end.
fn along_a(row: u32, k: u32) -> vec4<f32> {
    if K4 { return four_a(row + k); }
    return select(vec4<f32>(0.0), four_a(row + k), FOUR + k < vec4<u32>(p.k));
}

// b[k, n .. n + 4], of the last row below it; undefined beyond the last column.
fn four_b(first: u32, k: u32, n: u32) -> vec4<f32> {
    let row = first + min(k, p.k - 1u) * p.n;
    if N4 { return b[(row + min(n, p.n - 4u)) / 4u]; }
    return b_scalars(row + n);
}

// The same, 0 below the last row.
fn load_b(first: u32, k: u32, n: u32) -> vec4<f32> {
    let v = four_b(first, k, n);
    if K4 { return v; }
    return select(v, vec4<f32>(0.0), k >= p.k);
}

// Column j of the block is row k + j of b: four terms of four outputs are one matrix-vector product.
fn block_b(first: u32, k: u32, n: u32) -> mat4x4<f32> {
    return mat4x4<f32>(load_b(first, k, n), load_b(first, k + 1u, n), load_b(first, k + 2u, n), load_b(first, k + 3u, n));
}

// y[m, n .. n + 4], as far as its columns exist.
fn store4(first: u32, m: u32, n: u32, v: vec4<f32>) {
    let i = first + m * p.n + n;
    for (var j = 0u; j < min(max(p.n, n) - n, 4u); j++) { y[i + j] = v[j]; }
}

fn matrices() -> u32 {
    return p.batch;
}

fn rows() -> u32 {
    return p.m;
}

fn blocks() -> u32 {
    return (p.n + 3u) / 4u;
}

fn steps() -> u32 {
    return (p.k + 3u) / 4u;
}

// Where row r of a begins; rows beyond the last repeat it.
fn row_at(matrix: u32, r: u32) -> u32 {
    return row_a(pair_of(matrix).x * p.m * p.k, r);
}

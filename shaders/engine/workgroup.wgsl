
// --- engine/workgroup.wgsl ---
// Sums of x[row, k] w[k, column] by tiles in workgroup memory. The inner dimension k and the columns
// are counted in blocks of 4; a workgroup processes 4 blocks of k at a time.
// A workgroup: ROW_LANES x COLUMN_LANES invocations, TILE_ROWS rows x TILE_BLOCKS blocks. An invocation: ROWS (4 or 8) rows,
// ROW_LANES apart, x BLOCKS (1 or 2) blocks, COLUMN_LANES apart, in registers; it loads the next 4 blocks of k while it processes
// the present ones. Every loaded value of x is used 4 TILE_BLOCKS times, every w TILE_ROWS times.
//
// The sizes ROW_LANES (8 or 16), COLUMN_LANES, ROWS, BLOCKS are set by ops::tiled. COLUMN_LANES / ROWS and ROW_LANES / (4 BLOCKS)
//   are 1, 2 or 4, so that an invocation loads 4, 2 or 1 vec4 of x, of w.
// The params hold share (steps per split, a multiple of 4) and splits. The problem defines the following, also for rows and blocks
// beyond the last:
//   matrices(), rows(), blocks(), steps()      how many; rows, blocks, and blocks of k of a matrix
//   Row, row_at(matrix, r)                     the start of row r
//   Step, step_at(k), onward(s)                the position of block k of the inner dimension in every row, and of block k + 4
//   Column, column_at(matrix, block, j)        the start of a block of columns in the j-th of every 4 values along k
//   Loaded, values(l)                          4 values as they are stored, and as numbers
//   inside(row, step)                          whether the row has values at the step, or they are 0
//   load_x(row, step, ok)                      4 values along k; any that the binding has if not ok
//   load_w(column, k, ok)                      4 columns; any that the binding has if not ok
//   store_sums(split, matrix, r, block, sums)
// The sums of each split are stored separately; split_k_sum.wgsl or matmul_split_sum.wgsl adds them in order, so every run gives
// the same bits.

const WORKGROUP = ROW_LANES * COLUMN_LANES;
const TILE_ROWS = ROW_LANES * ROWS;
const TILE_BLOCKS = COLUMN_LANES * BLOCKS;
const X_LOADS = 4u * TILE_ROWS / WORKGROUP;
const W_LOADS = 16u * TILE_BLOCKS / WORKGROUP;
// Blocks of k from one of an invocation's w to the next.
const W_STEP = 4u / W_LOADS;

// Row r of block k at k TILE_ROWS + (r ^ 2k): eight lanes that store 4 blocks of 2 rows, or read one block of 8 rows, then access
// different memory banks.
var<workgroup> xs: array<vec4<f32>, 4u * TILE_ROWS>;
// Column j of block b of block k at 4 (k TILE_BLOCKS + b) + j.
var<workgroup> ws: array<vec4<f32>, 16u * TILE_BLOCKS>;

// What a workgroup computes: the split and the matrix, its first row and block, its range of blocks of k.
struct Place { split: u32, matrix: u32, row: u32, block: u32, begin: u32, end: u32 }

// The place of workgroup g; its split may be beyond the last.
fn place(g: u32) -> Place {
    let columns = (blocks() + TILE_BLOCKS - 1u) / TILE_BLOCKS;
    let bands = (rows() + TILE_ROWS - 1u) / TILE_ROWS;
    let band = g / columns;
    let matrix = band / bands;
    let split = matrix / matrices();
    let begin = split * p.share;
    return Place(split, matrix % matrices(), band % bands * TILE_ROWS, g % columns * TILE_BLOCKS, begin, min(begin + p.share, steps()));
}

// Column i of a matrix: four columns' sums for row i. `a` is of the invocation's first four rows and first block, `b` of
// its second block, `c` and `d` of its other four rows.
struct Sums { a: mat4x4<f32>, b: mat4x4<f32>, c: mat4x4<f32>, d: mat4x4<f32> }

struct FourRows { a: Row, b: Row, c: Row, d: Row }

// What an invocation loads, and which of it is not 0.
struct Loads { x: array<Loaded, 4>, w: array<Loaded, 4>, x_ok: vec4<bool>, w_ok: vec4<bool> }

fn rows_of(at: Place, lane: u32) -> FourRows {
    let r = at.row + lane / 4u;
    return FourRows(row_at(at.matrix, r), row_at(at.matrix, r + WORKGROUP / 4u), row_at(at.matrix, r + WORKGROUP / 2u), row_at(at.matrix, r + 3u * WORKGROUP / 4u));
}

// The invocation's part of blocks k to k + 3; blocks beyond the last are 0. No load is in a branch, and nothing is done with what
// is loaded: a compiler waits for a load at the end of its branch or at its first use, and here that is `put`, after the products.
fn fetch(at: Place, rows: FourRows, column: Column, k: u32, s: Step, lane: u32) -> Loads {
    var v: Loads;
    let within = k + lane % 4u < at.end;
    v.x_ok = vec4<bool>(within && inside(rows.a, s), within && inside(rows.b, s), within && inside(rows.c, s), within && inside(rows.d, s));
    v.x[0] = load_x(rows.a, s, v.x_ok.x);
    if X_LOADS > 1u { v.x[1] = load_x(rows.b, s, v.x_ok.y); }
    if X_LOADS > 2u { v.x[2] = load_x(rows.c, s, v.x_ok.z); v.x[3] = load_x(rows.d, s, v.x_ok.w); }
    let ks = vec4<u32>(0u, 1u, 2u, 3u) * W_STEP + k + lane / (4u * TILE_BLOCKS);
    v.w_ok = ks < vec4<u32>(at.end);
    v.w[0] = load_w(column, ks.x, v.w_ok.x);
    if W_LOADS > 1u { v.w[1] = load_w(column, ks.y, v.w_ok.y); }
    if W_LOADS > 2u { v.w[2] = load_w(column, ks.z, v.w_ok.z); v.w[3] = load_w(column, ks.w, v.w_ok.w); }
    return v;
}

fn kept(v: Loaded, ok: bool) -> vec4<f32> {
    return select(vec4<f32>(0.0), values(v), ok);
}

fn put(v: Loads, lane: u32) {
    let k = lane % 4u;
    let i = k * TILE_ROWS + ((lane / 4u) ^ (2u * k));
    xs[i] = kept(v.x[0], v.x_ok.x);
    if X_LOADS > 1u { xs[i + WORKGROUP / 4u] = kept(v.x[1], v.x_ok.y); }
    if X_LOADS > 2u { xs[i + WORKGROUP / 2u] = kept(v.x[2], v.x_ok.z); xs[i + 3u * WORKGROUP / 4u] = kept(v.x[3], v.x_ok.w); }
    ws[lane] = kept(v.w[0], v.w_ok.x);
    if W_LOADS > 1u { ws[lane + WORKGROUP] = kept(v.w[1], v.w_ok.y); }
    if W_LOADS > 2u { ws[lane + 2u * WORKGROUP] = kept(v.w[2], v.w_ok.z); ws[lane + 3u * WORKGROUP] = kept(v.w[3], v.w_ok.w); }
}

// One fused multiply-add per term: the sum is the first operand.
fn terms(sum: vec4<f32>, x: vec4<f32>, w: mat4x4<f32>) -> vec4<f32> {
    return sum + x.x * w[0] + x.y * w[1] + x.z * w[2] + x.w * w[3];
}

fn products(sums: mat4x4<f32>, x: mat4x4<f32>, w: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(terms(sums[0], x[0], w), terms(sums[1], x[1], w), terms(sums[2], x[2], w), terms(sums[3], x[3], w));
}

fn four_rows(i: u32) -> mat4x4<f32> {
    return mat4x4<f32>(xs[i], xs[i + ROW_LANES], xs[i + 2u * ROW_LANES], xs[i + 3u * ROW_LANES]);
}

fn block_of(i: u32) -> mat4x4<f32> {
    return mat4x4<f32>(ws[i], ws[i + 1u], ws[i + 2u], ws[i + 3u]);
}

fn tile(at: Place, lane: u32) -> Sums {
    var sums: Sums;
    if at.begin >= at.end { return sums; }
    let rows = rows_of(at, lane);
    let column = column_at(at.matrix, at.block + lane / 4u % TILE_BLOCKS, lane % 4u);
    var s = step_at(at.begin + lane % 4u);
    put(fetch(at, rows, column, at.begin, s, lane), lane);
    workgroupBarrier();
    // An iteration processes the blocks before k. The last one loads nothing that counts.
    for (var k = at.begin + 4u; ; k += 4u) {
        s = onward(s);
        let next = fetch(at, rows, column, k, s, lane);
        sums = step_of(sums, lane);
        if k >= at.end { break; }
        workgroupBarrier();
        put(next, lane);
        workgroupBarrier();
    }
    return sums;
}

// Adds the terms of the four blocks of k in workgroup memory.
fn step_of(before: Sums, lane: u32) -> Sums {
    var sums = before;
    for (var j = 0u; j < 4u; j++) {
        let first = j * TILE_ROWS + ((lane % ROW_LANES) ^ (2u * j));
        let block = 4u * (j * TILE_BLOCKS + lane / ROW_LANES);
        let x = four_rows(first);
        let w = block_of(block);
        sums.a = products(sums.a, x, w);
        if BLOCKS > 1u { sums.b = products(sums.b, x, block_of(block + 4u * COLUMN_LANES)); }
        if ROWS > 4u {
            let y = four_rows(first + 4u * ROW_LANES);
            sums.c = products(sums.c, y, w);
            if BLOCKS > 1u { sums.d = products(sums.d, y, block_of(block + 4u * COLUMN_LANES)); }
        }
    }
    return sums;
}

// Four rows of sums: q counts the fours of a block, then the blocks.
fn four_of(sums: Sums, q: u32) -> mat4x4<f32> {
    var v = sums.a;
    if ROWS > 4u && q % 2u == 1u { v = sums.c; }
    if BLOCKS > 1u && q >= ROWS / 4u {
        v = sums.b;
        if ROWS > 4u && q % 2u == 1u { v = sums.d; }
    }
    return v;
}

fn store_one(at: Place, r: u32, block: u32, v: vec4<f32>) {
    if r < rows() && block < blocks() { store_sums(at.split, at.matrix, r, block, v); }
}

// A loop over fours, so that the kernel's epilogue is compiled four times, and not for every vec4 of an invocation; one over rows
// would select each of them by its number.
fn store_tile(at: Place, lane: u32, sums: Sums) {
    for (var q = 0u; q < ROWS * BLOCKS / 4u; q++) {
        let v = four_of(sums, q);
        let r = at.row + lane % ROW_LANES + q % (ROWS / 4u) * 4u * ROW_LANES;
        let block = at.block + lane / ROW_LANES + q / (ROWS / 4u) * COLUMN_LANES;
        store_one(at, r, block, v[0]);
        store_one(at, r + ROW_LANES, block, v[1]);
        store_one(at, r + 2u * ROW_LANES, block, v[2]);
        store_one(at, r + 3u * ROW_LANES, block, v[3]);
    }
}

fn compute(group: u32, lane: u32) {
    let at = place(group);
    if at.split >= p.splits { return; }
    store_tile(at, lane, tile(at, lane));
}


// --- shared/rows8.wgsl ---
// Matrix products by subgroups of 8: a subgroup computes a tile of ROWS = 8, 16 or 32 rows by 8 lanes
// with a block of 4 columns each. The inner dimension is processed in steps of 4. The kernel defines how values are loaded and
// stored:
//   row4(at, c): step c of the row that begins `at`;   block4(first, c, column): step c of a block of columns, as 4x4;
//   store(first, row, column, v): stores a row's result in a block of columns, except beyond the last row or column.

override ROWS: u32 = 32;

struct Rows8 { low: mat4x4<f32>, high: mat4x4<f32> }
struct Tile { a: Rows8, b: Rows8, c: Rows8, d: Rows8 }

// The matrix of a batch, the tile's first row, and a lane's block of columns.
struct Place { matrix: u32, row: u32, column: u32 }

// The place of tile g. Consecutive tiles have consecutive rows, so that their columns stay in the cache.
fn place(g: u32, rows: u32, blocks: u32, lane: u32) -> Place {
    let bands = (rows + ROWS - 1u) / ROWS;
    let columns = (blocks + 7u) / 8u;
    let rest = g / bands;
    let matrix = rest / columns;
    return Place(matrix, (g - rest * bands) * ROWS, (rest - matrix * columns) * 8u + lane);
}

// r + x m: lane l gives step x of row l, and m a block of its own columns. Each row is broadcast to the subgroup; the lane of a
// broadcast must be a constant.
fn add8(r: Rows8, m: mat4x4<f32>, x: vec4<f32>) -> Rows8 {
    let low = mat4x4<f32>(subgroupBroadcast(x, 0u), subgroupBroadcast(x, 1u), subgroupBroadcast(x, 2u), subgroupBroadcast(x, 3u));
    let high = mat4x4<f32>(subgroupBroadcast(x, 4u), subgroupBroadcast(x, 5u), subgroupBroadcast(x, 6u), subgroupBroadcast(x, 7u));
    return Rows8(r.low + m * low, r.high + m * high);
}

// Adds `steps` steps; a lane's rows begin at `rows`.
fn multiply(t: ptr<function, Tile>, first: u32, rows: vec4<u32>, steps: u32, column: u32) {
    for (var c = 0u; c < steps; c++) {
        let m = block4(first, c, column);
        (*t).a = add8((*t).a, m, row4(rows.x, c));
        if ROWS > 8u { (*t).b = add8((*t).b, m, row4(rows.y, c)); }
        if ROWS > 16u {
            (*t).c = add8((*t).c, m, row4(rows.z, c));
            (*t).d = add8((*t).d, m, row4(rows.w, c));
        }
    }
}

// Shifts the rows up by one.
fn up8(r: Rows8) -> Rows8 {
    return Rows8(mat4x4<f32>(r.low[1], r.low[2], r.low[3], r.high[0]), mat4x4<f32>(r.high[1], r.high[2], r.high[3], vec4<f32>(0.0)));
}

// Stores a tile's rows up to the last of `rows`. Loops, since every store in the text costs compile time.
fn store_tile(t: ptr<function, Tile>, first: u32, row: u32, rows: u32, column: u32) {
    for (var band = row; band < min(row + ROWS, rows); band += 8u) {
        for (var r = band; r < min(band + 8u, rows); r++) {
            store(first, r, column, (*t).a.low[0]);
            (*t).a = up8((*t).a);
        }
        if ROWS > 8u { (*t).a = (*t).b; }
        if ROWS > 16u { (*t).b = (*t).c; (*t).c = (*t).d; }
    }
}

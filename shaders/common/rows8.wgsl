
// --- common/rows8.wgsl ---
// Products of matrices by subgroups of 8: a subgroup holds a tile of ROWS = 8, 16 or 32 rows by 8 lanes with 1 or 2 (PAIR)
// blocks of 4 columns each, 32 columns apart. The inner dimension goes by steps of 4. The kernel says where its values lie:
//   row4(at, c): step c of the row that begins `at`;   block4(first, c, column): step c of a block of columns, as 4x4;
//   store(first, row, column, v): a row's result in a block of columns, dropped beyond the last row or column.

override ROWS: u32 = 32;
override PAIR: bool = true;

struct Rows8 { low: mat4x4<f32>, high: mat4x4<f32> }
struct Rows32 { a: Rows8, b: Rows8, c: Rows8, d: Rows8 }
struct Tile { u: Rows32, v: Rows32 }

// The matrix of a batch, the tile's first row, and a lane's first block of columns.
struct Place { matrix: u32, row: u32, column: u32 }

// Of tile g; neighbours take neighbouring rows, so that their columns stay in the cache.
fn place(g: u32, rows: u32, blocks: u32, lane: u32) -> Place {
    let width = select(8u, 16u, PAIR);
    let bands = (rows + ROWS - 1u) / ROWS;
    let columns = (blocks + width - 1u) / width;
    let rest = g / bands;
    let matrix = rest / columns;
    return Place(matrix, (g - rest * bands) * ROWS, (rest - matrix * columns) * width + lane);
}

// r + x m: lane l gives step x of row l, and m a block of its own columns. The subgroup passes the rows round; the lane of a
// broadcast must be a constant.
fn add8(r: Rows8, m: mat4x4<f32>, x: vec4<f32>) -> Rows8 {
    let low = mat4x4<f32>(subgroupBroadcast(x, 0u), subgroupBroadcast(x, 1u), subgroupBroadcast(x, 2u), subgroupBroadcast(x, 3u));
    let high = mat4x4<f32>(subgroupBroadcast(x, 4u), subgroupBroadcast(x, 5u), subgroupBroadcast(x, 6u), subgroupBroadcast(x, 7u));
    return Rows8(r.low + m * low, r.high + m * high);
}

// Adds `steps` steps; a lane's rows begin at `rows`.
fn multiply(t: ptr<function, Tile>, first: u32, rows: vec4<u32>, steps: u32, column: u32) {
    for (var c = 0u; c < steps; c++) {
        let mu = block4(first, c, column);
        var mv = mu;
        if PAIR { mv = block4(first, c, column + 8u); }
        let xa = row4(rows.x, c);
        (*t).u.a = add8((*t).u.a, mu, xa);
        if PAIR { (*t).v.a = add8((*t).v.a, mv, xa); }
        if ROWS > 8u {
            let xb = row4(rows.y, c);
            (*t).u.b = add8((*t).u.b, mu, xb);
            if PAIR { (*t).v.b = add8((*t).v.b, mv, xb); }
        }
        if ROWS > 16u {
            let xc = row4(rows.z, c);
            (*t).u.c = add8((*t).u.c, mu, xc);
            if PAIR { (*t).v.c = add8((*t).v.c, mv, xc); }
            let xd = row4(rows.w, c);
            (*t).u.d = add8((*t).u.d, mu, xd);
            if PAIR { (*t).v.d = add8((*t).v.d, mv, xd); }
        }
    }
}

// The rows one place up.
fn up8(r: Rows8) -> Rows8 {
    return Rows8(mat4x4<f32>(r.low[1], r.low[2], r.low[3], r.high[0]), mat4x4<f32>(r.high[1], r.high[2], r.high[3], vec4<f32>(0.0)));
}

// Stores a tile's rows up to the last of `rows`. Loops, since every store in the text costs compiling time.
fn store_tile(t: ptr<function, Tile>, first: u32, row: u32, rows: u32, column: u32) {
    for (var at = column; at < column + select(8u, 16u, PAIR); at += 8u) {
        for (var band = row; band < min(row + ROWS, rows); band += 8u) {
            for (var r = band; r < min(band + 8u, rows); r++) {
                store(first, r, at, (*t).u.a.low[0]);
                (*t).u.a = up8((*t).u.a);
            }
            if ROWS > 8u { (*t).u.a = (*t).u.b; }
            if ROWS > 16u { (*t).u.b = (*t).u.c; (*t).u.c = (*t).u.d; }
        }
        if PAIR { (*t).u = (*t).v; }
    }
}

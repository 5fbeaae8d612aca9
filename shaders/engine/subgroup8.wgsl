
// --- engine/subgroup8.wgsl ---
// Products of matrices by subgroups of 8 (software adapters whose lanes are SIMD lanes). One subgroup: a tile of ROWS = 8, 16 or 32
// rows by 8 lanes with a block of 4 columns each. No value is loaded twice in a subgroup: a load of a row costs one lane's time, and
// the row is broadcast. The problem defines what engine/registers.wgsl says; all blocks of a tile take the same values of a row.

override ROWS: u32 = 32;

struct Rows8 { low: mat4x4<f32>, high: mat4x4<f32> }
struct Tile { a: Rows8, b: Rows8, c: Rows8, d: Rows8 }

// The matrix of a batch, the tile's first row, and a lane's block of columns.
struct Place { matrix: u32, row: u32, column: u32 }

// The place of tile g. Consecutive tiles have consecutive rows, so that their columns stay in the cache.
fn place(g: u32, lane: u32) -> Place {
    let bands = (rows() + ROWS - 1u) / ROWS;
    let columns = (blocks() + 7u) / 8u;
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

// Adds the steps of a tap; a lane's rows begin at `rows`.
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

// Stores a tile's rows up to the last of its matrix. Loops, since every store in the text costs compile time.
fn store_tile(t: ptr<function, Tile>, at: Place) {
    for (var band = at.row; band < min(at.row + ROWS, rows()); band += 8u) {
        for (var r = band; r < min(band + 8u, rows()); r++) {
            if at.column < blocks() { store(at.matrix, r, at.column, (*t).a.low[0]); }
            (*t).a = up8((*t).a);
        }
        if ROWS > 8u { (*t).a = (*t).b; }
        if ROWS > 16u { (*t).b = (*t).c; (*t).c = (*t).d; }
    }
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let at = place(group.x + group.y * groups.x + first_group, lane);
    if at.matrix >= matrices() { return; }
    let block = at.column - lane;
    let r = at.row + lane;
    let r0 = row_at(at.matrix, r); let r1 = row_at(at.matrix, r + 8u);
    let r2 = row_at(at.matrix, r + 16u); let r3 = row_at(at.matrix, r + 24u);
    let column = min(at.column, blocks() - 1u); // lanes beyond the last block repeat it
    let count = steps();
    var sums = Tile();
    var line = no_line(at.matrix);
    loop {
        if HAS_TAPS {
            line = next_line(line);
            if !is_line(line) { break; }
        }
        var t = line;
        loop {
            if HAS_TAPS {
                t = next_tap(t);
                if !is_tap(t) { break; }
            }
            let rows = vec4<u32>(start(r0, t, block), start(r1, t, block), start(r2, t, block), start(r3, t, block));
            multiply(&sums, weights(at.matrix, t), rows, count, column);
            if !HAS_TAPS { break; }
        }
        if !HAS_TAPS { break; }
    }
    store_tile(&sums, at);
}

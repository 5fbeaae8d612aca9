// y[n, row, column] = x[n, column, row], 4-byte elements.
//   x: row-major [n, columns, rows]   y: row-major [n, rows, columns]
// One workgroup: a tile of 32x32 of image n, read along rows of x and written along rows of y, so that both coalesce; an invocation
// moves four elements, for which it computes the tile's place once.
// Compared with strided_copy: neighbouring invocations read neighbouring elements. The tile's pitch is odd, so that its
// columns are in different banks.

struct Params { n: u32, rows: u32, columns: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

const TILE = 32u;
const WORKGROUP = 256u;
const BAND = WORKGROUP / TILE;
const PITCH = TILE + 1u;
var<workgroup> tile: array<u32, TILE * PITCH>;

fn compute(group: u32, t: u32) {
    let tiles = (vec2<u32>(p.columns, p.rows) + TILE - 1u) / TILE;
    let band = group / tiles.x;
    let image = band / tiles.y;
    if image >= p.n { return; }
    let corner = vec2<u32>(group - band * tiles.x, band - image * tiles.y) * TILE;
    let local = vec2<u32>(t % TILE, t / TILE);
    let first = image * p.rows * p.columns;
    for (var k = 0u; k < TILE; k += BAND) {
        let at = local + vec2<u32>(0u, k);
        let source = corner.yx + at;
        if source.x < p.rows && source.y < p.columns {
            tile[at.x * PITCH + at.y] = x[first + source.y * p.rows + source.x];
        }
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE; k += BAND) {
        let at = local + vec2<u32>(0u, k);
        let sink = corner + at;
        if sink.x < p.columns && sink.y < p.rows {
            y[first + sink.y * p.columns + sink.x] = tile[at.y * PITCH + at.x];
        }
    }
}

// Convolution as an implicit matrix product by tiles in workgroup memory, for hardware: rows are output pixels, columns output
// channels of a group, the inner dimension runs over taps and input channels of the group. Formula as in conv2d_direct.wgsl.
//   x: channels-last [n, ih, iw, ic4] of vec4       w: packed by conv2d_pack.wgsl, [tap, ic4 of a group, oc4] of 4x4 blocks
//   y, residual: channels-last [n, oh, ow, oc4] of vec4; with splits, y: [splits, n, oh, ow, oc4], their sums, and no epilogue
// A workgroup and an invocation: see shared/tiled.wgsl.
// Compared with conv2d_gemm.wgsl: a value is loaded from memory once per workgroup, not once per invocation.

struct Params {
    ih: u32, iw: u32, ic4: u32, icg4: u32, oh: u32, ow: u32, oc4: u32,
    kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    matrices: u32, rows: u32, blocks: u32, steps: u32, share: u32, splits: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Written>>;

// The start of a pixel's window: image row and column (wrapping below 0); the index of its first block of the group, which wraps,
// too, if it is outside.
struct Row { iy: u32, ix: u32, first: u32 }

// A block of the inner dimension: rows and columns from the first tap, the block of channels; the index from that of the row.
struct Step { dy: u32, dx: u32, c: u32, i: u32 }

// As it is stored.
alias Loaded = vec4<Stored>;

// The index in the first block of k.
alias Column = u32;

fn row_at(at: Place, r: u32) -> Row {
    let q = min(r, p.rows - 1u);
    let iy = q / p.ow % p.oh * p.sy - p.py;
    let ix = q % p.ow * p.sx - p.px;
    return Row(iy, ix, ((q / p.ow / p.oh * p.ih + iy) * p.iw + ix) * p.ic4 + at.matrix * p.icg4);
}

fn step_at(k: u32) -> Step {
    let tap = k / p.icg4;
    let dy = tap / p.kw * p.dy;
    let dx = tap % p.kw * p.dx;
    return Step(dy, dx, k % p.icg4, (dy * p.iw + dx) * p.ic4 + k % p.icg4);
}

fn onward(s: Step) -> Step {
    var t = s;
    t.c += 4u;
    t.i += 4u;
    while t.c >= p.icg4 {
        t.c -= p.icg4;
        t.dx += p.dx;
        t.i += p.dx * p.ic4 - p.icg4;
        if t.dx == p.kw * p.dx {
            t.dx = 0u;
            t.dy += p.dy;
            t.i += (p.dy * p.iw - p.kw * p.dx) * p.ic4;
        }
    }
    return t;
}

fn inside(r: Row, s: Step) -> bool {
    return r.iy + s.dy < p.ih && r.ix + s.dx < p.iw;
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    return x[select(0u, r.first + s.i, ok)];
}

fn column_at(at: Place, block: u32, j: u32) -> Column {
    return 4u * (at.matrix * p.blocks + min(block, p.blocks - 1u)) + j;
}

fn load_w(column: Column, k: u32, ok: bool) -> Loaded {
    return w[select(0u, 4u * k * p.oc4 + column, ok)];
}

fn store(at: Place, r: u32, block: u32, v: vec4<f32>) {
    let ob = at.matrix * p.blocks + block;
    let before = at.split * p.rows * p.oc4;
    y[before + y_at(r, ob)] = vec4<Written>(finish4(v, ob, r * p.oc4 + ob));
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = place(group_id(group, groups));
    if at.split >= p.splits { return; }
    store_tile(at, lane, tile(at, lane));
}

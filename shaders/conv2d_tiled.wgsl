// Convolution as an implicit matrix product by tiles in workgroup memory, for hardware: rows are output pixels, columns output
// channels of a group, the inner dimension runs over taps and input channels of the group. Formula as in conv2d_direct.wgsl.
//   x: channels-last [n, ih, iw, ic4] of vec4       w: packed by conv2d_pack.wgsl, [tap, ic4 of a group, oc4] of 4x4 blocks
//   y, residual: channels-last [n, oh, ow, oc4] of vec4; with splits, y: [splits, n, oh, ow, oc4], their sums, and no epilogue
// A workgroup and an invocation: see common/tiled.wgsl.
// Compared with conv2d_gemm.wgsl: a value is loaded from memory once per workgroup, not once per invocation.

struct Params {
    ih: u32, iw: u32, ic4: u32, icg4: u32, oh: u32, ow: u32, oc: u32, oc4: u32,
    kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    matrices: u32, rows: u32, blocks: u32, steps: u32, share: u32, splits: u32,
    slopes: u32, act_a: f32, act_b: f32, y_pitch: u32, y_first: u32,
}

// The element type of x, y, the residual and the packed weights.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<Stored>>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<Stored>>;

const ROW_LANES = 8u;
const COLUMN_LANES = 8u;
const ROWS = 4u;
const BLOCKS = 1u;

// The start of a pixel's window: image row and column (wrapping below 0); the number of rows of all images before; the first
// block of the group.
struct Row { iy: u32, ix: u32, above: u32, c: u32 }

// A block of the inner dimension: the tap and the block of channels.
struct Step { ky: u32, kx: u32, c: u32 }

// The index in the first block of k.
alias Column = u32;

fn row_at(at: Place, r: u32) -> Row {
    let q = min(r, p.rows - 1u);
    return Row(q / p.ow % p.oh * p.sy - p.py, q % p.ow * p.sx - p.px, q / p.ow / p.oh * p.ih, at.matrix * p.icg4);
}

fn step_at(k: u32) -> Step {
    let tap = k / p.icg4;
    return Step(tap / p.kw, tap % p.kw, k % p.icg4);
}

fn onward(s: Step) -> Step {
    var t = s;
    t.c += 4u;
    while t.c >= p.icg4 {
        t.c -= p.icg4;
        t.kx++;
        if t.kx == p.kw { t.kx = 0u; t.ky++; }
    }
    return t;
}

fn load_x(r: Row, s: Step) -> vec4<f32> {
    let iy = r.iy + s.ky * p.dy;
    let ix = r.ix + s.kx * p.dx;
    if iy >= p.ih || ix >= p.iw { return vec4<f32>(0.0); }
    return vec4<f32>(x[((r.above + iy) * p.iw + ix) * p.ic4 + r.c + s.c]);
}

fn column_at(at: Place, block: u32, j: u32) -> Column {
    return 4u * (at.matrix * p.blocks + min(block, p.blocks - 1u)) + j;
}

fn load_w(column: Column, k: u32) -> vec4<f32> {
    return vec4<f32>(w[4u * k * p.oc4 + column]);
}

fn store(at: Place, r: u32, block: u32, v: vec4<f32>) {
    let ob = at.matrix * p.blocks + block;
    let before = at.split * p.rows * p.oc4;
    y[before + y_at(r, ob)] = vec4<Stored>(finish4(v, ob, r * p.oc4 + ob));
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = place(group_id(group, groups));
    if at.split >= p.splits { return; }
    store_tile(at, lane, tile(at, lane));
}

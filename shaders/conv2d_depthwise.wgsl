// Depthwise convolution (groups = ic = oc): every channel its own filter. Formula as in conv2d_direct.wgsl.
//   x: channels-last [n, ih, iw, c4] of vec4   w: packed by conv2d_depthwise_pack.wgsl, [tap, c4] of vec4
//   y, residual: channels-last [n, oh, ow, c4] of vec4
// One invocation: 4 channels of 4 neighbouring outputs of a row. A row of taps is read once as vec4s; with stride 1 and
// dilation 1 neighbours share their columns, which the window of registers x0..x3 slides over.

struct Params {
    n: u32, ih: u32, iw: u32, oh: u32, ow: u32, oc: u32, c4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    slopes: u32, act_a: f32, act_b: f32,
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

// Neighbouring outputs use neighbouring columns: stride 1, dilation 1.
override SLIDE: bool = false;

// Column ix of a row that starts at `row` in x, or 0 outside the image (columns left of it wrap to large numbers).
fn load(row: u32, ix: u32, cb: u32) -> vec4<f32> {
    if ix >= p.iw { return vec4<f32>(0.0); }
    return vec4<f32>(x[(row + ix) * p.c4 + cb]);
}

fn store(row: u32, ox: u32, cb: u32, v: vec4<f32>) {
    if ox >= p.ow { return; }
    let i = (row + ox) * p.c4 + cb;
    y[i] = vec4<Stored>(finish4(v, cb, i));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let tiles = (p.ow + 3u) / 4u;
    if i >= p.n * p.oh * tiles * p.c4 { return; }
    let cb = i % p.c4;
    let ox = i / p.c4 % tiles * 4u;
    let oy = i / (p.c4 * tiles) % p.oh;
    let n = i / (p.c4 * tiles * p.oh);
    let ix = ox * p.sx - p.px;
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = oy * p.sy + ky * p.dy - p.py;
        if iy >= p.ih { continue; }
        let row = (n * p.ih + iy) * p.iw;
        let taps = ky * p.kw * p.c4 + cb;
        if SLIDE {
            var x0 = load(row, ix, cb); var x1 = load(row, ix + 1u, cb); var x2 = load(row, ix + 2u, cb);
            for (var kx = 0u; kx < p.kw; kx++) {
                let x3 = load(row, ix + kx + 3u, cb);
                let v = vec4<f32>(w[taps + kx * p.c4]);
                a0 += v * x0; a1 += v * x1; a2 += v * x2; a3 += v * x3;
                x0 = x1; x1 = x2; x2 = x3;
            }
        } else {
            for (var kx = 0u; kx < p.kw; kx++) {
                let v = vec4<f32>(w[taps + kx * p.c4]);
                let at = ix + kx * p.dx;
                a0 += v * load(row, at, cb);
                a1 += v * load(row, at + p.sx, cb);
                a2 += v * load(row, at + 2u * p.sx, cb);
                a3 += v * load(row, at + 3u * p.sx, cb);
            }
        }
    }
    let row = (n * p.oh + oy) * p.ow;
    store(row, ox, cb, a0); store(row, ox + 1u, cb, a1); store(row, ox + 2u, cb, a2); store(row, ox + 3u, cb, a3);
}

// Depthwise convolution (groups = ic = oc): every channel has its own filter.
//   y[n, c, oy, ox] = epilogue(sum over ky, kx of x[n, c, oy sy - py + ky dy, ox sx - px + kx dx] w[c, 0, ky, kx])
//   x: channels-last [n, ih, iw, c4] of vec4   w: packed by conv2d_depthwise_pack.wgsl, [tap, c4] of vec4
//   y, residual: channels-last [n, oh, ow, c4] of vec4
// One invocation: 4 channels of 8 neighbouring outputs of a row. The window slides as in conv2d_slide.wgsl.

struct Params {
    n: u32, ih: u32, iw: u32, oh: u32, ow: u32, c4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32, step: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

// Column ix (wrapping below 0) of the row that begins at `row`.
fn load(row: u32, ix: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(x[select(row, row + ix * p.c4, ix < p.iw)]), ix < p.iw);
}

fn store(row: u32, ox: u32, cb: u32, v: vec4<f32>) {
    y[y_at(row + ox, cb)] = vec4<Stored>(finish4(v, cb, (row + ox) * p.c4 + cb));
}

fn compute(i: u32) {
    let strips = (p.ow + 7u) / 8u;
    let cb = i % p.c4;
    let ox = i / p.c4 % strips * 8u;
    let row = i / p.c4 / strips;
    if row >= p.n * p.oh { return; }
    let top = row % p.oh * p.sy - p.py;
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = top + ky * p.dy;
        if iy >= p.ih { continue; }
        let r = (row / p.oh * p.ih + iy) * p.iw * p.c4 + cb;
        let wr = ky * p.kw * p.c4 + cb;
        for (var k = 0u; k < min(p.step, p.kw); k++) {
            let left = ox * p.sx + k * p.dx - p.px;
            var x0 = load(r, left); var x1 = load(r, left + p.sx); var x2 = load(r, left + 2u * p.sx); var x3 = load(r, left + 3u * p.sx);
            var x4 = load(r, left + 4u * p.sx); var x5 = load(r, left + 5u * p.sx); var x6 = load(r, left + 6u * p.sx);
            var last = left + 7u * p.sx;
            for (var kx = k; kx < p.kw; kx += p.step) {
                let v = vec4<f32>(w[wr + kx * p.c4]);
                let x7 = load(r, last);
                last += p.sx;
                a0 += v * x0; a1 += v * x1; a2 += v * x2; a3 += v * x3;
                a4 += v * x4; a5 += v * x5; a6 += v * x6; a7 += v * x7;
                x0 = x1; x1 = x2; x2 = x3; x3 = x4; x4 = x5; x5 = x6; x6 = x7;
            }
        }
    }
    // A loop, since every store in the text costs compile time.
    for (var at = ox; at < min(ox + 8u, p.ow); at++) {
        store(row * p.ow, at, cb, a0);
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7;
    }
}

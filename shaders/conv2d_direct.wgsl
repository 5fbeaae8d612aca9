// y[n, oc, oy, ox] = finish(sum over ic, ky, kx of x[n, group's ic, oy sy - py + ky dy, ox sx - px + kx dx] w[oc, ic, ky, kx])
//   x: row-major [n, ic, ih, iw]   w: row-major [oc, ic / groups, kh, kw]   y, residual: row-major [n, oc, oh, ow]
// One invocation: one output. The simplest kernel: every load is scalar, nothing is reused.

struct Params {
    n: u32, ic: u32, ih: u32, iw: u32,
    oc: u32, oh: u32, ow: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    groups: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.n * p.oc * p.oh * p.ow { return; }
    let ox = i % p.ow;
    let oy = (i / p.ow) % p.oh;
    let oc = (i / (p.ow * p.oh)) % p.oc;
    let n = i / (p.ow * p.oh * p.oc);
    let icg = p.ic / p.groups;
    let first_ic = oc / (p.oc / p.groups) * icg;
    var acc = 0.0;
    for (var ic = 0u; ic < icg; ic++) {
        for (var ky = 0u; ky < p.kh; ky++) {
            // Before the image the difference wraps to a large number: one comparison covers both borders.
            let iy = oy * p.sy + ky * p.dy - p.py;
            if iy >= p.ih { continue; }
            for (var kx = 0u; kx < p.kw; kx++) {
                let ix = ox * p.sx + kx * p.dx - p.px;
                if ix >= p.iw { continue; }
                acc += x[((n * p.ic + first_ic + ic) * p.ih + iy) * p.iw + ix]
                    * w[((oc * icg + ic) * p.kh + ky) * p.kw + kx];
            }
        }
    }
    y[i] = finish(acc, oc, i);
}

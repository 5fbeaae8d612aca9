// y[n, oc, oy, ox] = finish(sum over ic, ky, kx of x[n, group's ic, iy, ix] w[ic, oc, ky, kx]),
//   over the taps for which iy = (oy + py - ky dy) / sy and ix = (ox + px - kx dx) / sx are whole and inside the image
//   x: row-major [n, ic, ih, iw]   w: row-major [ic, oc / groups, kh, kw]   y, residual: row-major [n, oc, oh, ow]
// One invocation: one output, which gathers its taps. The simplest kernel: every load is scalar, nothing is reused.

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

// at / stride if that is whole and below extent, else 0xffffffff. Before the image `at` has wrapped.
fn source(at: u32, stride: u32, extent: u32) -> u32 {
    if at >= 0x80000000u || at % stride != 0u || at / stride >= extent { return 0xffffffffu; }
    return at / stride;
}

fn compute(i: u32) {
    if i >= p.n * p.oc * p.oh * p.ow { return; }
    let ox = i % p.ow;
    let oy = (i / p.ow) % p.oh;
    let oc = (i / (p.ow * p.oh)) % p.oc;
    let n = i / (p.ow * p.oh * p.oc);
    let icg = p.ic / p.groups;
    let ocg = p.oc / p.groups;
    let first_ic = oc / ocg * icg;
    var acc = 0.0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = source(oy + p.py - ky * p.dy, p.sy, p.ih);
        if iy == 0xffffffffu { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let ix = source(ox + p.px - kx * p.dx, p.sx, p.iw);
            if ix == 0xffffffffu { continue; }
            for (var ic = first_ic; ic < first_ic + icg; ic++) {
                acc += x[((n * p.ic + ic) * p.ih + iy) * p.iw + ix]
                    * w[((ic * ocg + oc % ocg) * p.kh + ky) * p.kw + kx];
            }
        }
    }
    y[i] = finish(acc, oc, i);
}

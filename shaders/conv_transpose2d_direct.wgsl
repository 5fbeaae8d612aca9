// y[n, oc, oy, ox] = finish(sum over ic, ky, kx of x[n, group's ic, iy, ix] w[ic, oc, ky, kx]),
//   over the taps for which iy = (oy + py - ky dy) / sy and ix = (ox + px - kx dx) / sx are whole and inside the image
//   x: row-major [n, ic, ih, iw]   w: row-major [ic, oc / groups, kh, kw]   y, residual: row-major [n, oc, oh, ow]
// One invocation: one output, which gathers its taps. The simplest kernel: every load is scalar, nothing is reused.

// at / stride if that is whole and below extent, else 0xffffffff. Before the image `at` has wrapped.
fn source(at: u32, stride: u32, extent: u32) -> u32 {
    if at >= 0x80000000u || at % stride != 0u || at / stride >= extent { return 0xffffffffu; }
    return at / stride;
}

fn compute(i: u32) {
    let o = place(i);
    if o.n >= p.n { return; }
    let icg = p.ic / p.groups;
    let ocg = p.oc / p.groups;
    let first_ic = o.oc / ocg * icg;
    var acc = 0.0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = source(o.oy + p.py - ky * p.dy, p.sy, p.ih);
        if iy == 0xffffffffu { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let ix = source(o.ox + p.px - kx * p.dx, p.sx, p.iw);
            if ix == 0xffffffffu { continue; }
            for (var ic = first_ic; ic < first_ic + icg; ic++) {
                acc += x[((o.n * p.ic + ic) * p.ih + iy) * p.iw + ix]
                    * w[((ic * ocg + o.oc % ocg) * p.kh + ky) * p.kw + kx];
            }
        }
    }
    y[i] = finish(acc, o.oc, i);
}

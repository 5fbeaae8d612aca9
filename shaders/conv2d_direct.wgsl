// y[n, oc, oy, ox] = finish(sum over ic, ky, kx of x[n, group's ic, oy sy - py + ky dy, ox sx - px + kx dx] w[oc, ic, ky, kx])
//   x: row-major [n, ic, ih, iw]   w: row-major [oc, ic / groups, kh, kw]   y, residual: row-major [n, oc, oh, ow]
// One invocation: one output. The simplest kernel: every load is scalar, nothing is reused.

fn compute(i: u32) {
    let o = place(i);
    if o.n >= p.n { return; }
    let icg = p.ic / p.groups;
    let first_ic = o.oc / (p.oc / p.groups) * icg;
    var acc = 0.0;
    for (var ic = 0u; ic < icg; ic++) {
        for (var ky = 0u; ky < p.kh; ky++) {
            // Before the image the difference wraps to a large number: one comparison covers both borders.
            let iy = o.oy * p.sy + ky * p.dy - p.py;
            if iy >= p.ih { continue; }
            for (var kx = 0u; kx < p.kw; kx++) {
                let ix = o.ox * p.sx + kx * p.dx - p.px;
                if ix >= p.iw { continue; }
                acc += x[((o.n * p.ic + first_ic + ic) * p.ih + iy) * p.iw + ix]
                    * w[((o.oc * icg + ic) * p.kh + ky) * p.kw + kx];
            }
        }
    }
    y[i] = finish(acc, o.oc, i);
}

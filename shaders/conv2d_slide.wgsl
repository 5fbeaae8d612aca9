// Convolution whose window slides along a row.
//   y[n, oc, oy, ox] = epilogue(sum over ic, ky, kx of x[n, ic of the group, oy sy - py + ky dy, ox sx - px + kx dx] w[oc, ic, ky, kx])
//   x, w, y: shared/conv.wgsl; DEPTHWISE: w is [tap, oc4] of vec4, an input for each output
// One invocation: PIXELS = 8 or 16 consecutive pixels of one output row x one block of 4 channels, held in registers, as are the
// inputs under one tap of their windows. If the stride is `step` dilations, the tap `step` further on needs the inputs of the
// next pixels: all but one are in registers.
// Compared with engine/registers.wgsl: with stride 1, kw + PIXELS - 1 loads of x per row of the window instead of kw * PIXELS; a weight
// is used for up to 16 pixels.

// 16 pixels per invocation instead of 8.
override WIDE: bool = true;

// Column ix (wrapping below 0) of the row that begins at `row`.
fn load(row: u32, ix: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(x[select(row, row + ix * p.ic4, ix < p.iw)]), ix < p.iw);
}

fn store(row: u32, ox: u32, ob: u32, v: vec4<f32>) {
    y[y_at(row + ox, ob)] = vec4<Written>(finish4(v, ob, (row + ox) * p.oc4 + ob));
}

fn compute(i: u32) {
    let pixels = select(8u, 16u, WIDE);
    let strips = (p.ow + pixels - 1u) / pixels;
    let ob = i % p.oc4;
    let ox = i / p.oc4 % strips * pixels;
    let row = i / p.oc4 / strips;
    if row >= p.n * p.oh { return; }
    let inputs = select(p.icg4, 1u, DEPTHWISE);
    let first_c = select(ob / p.ocg4 * inputs, ob, DEPTHWISE);
    let top = row % p.oh * p.sy - p.py;
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0; var b4 = a0; var b5 = a0; var b6 = a0; var b7 = a0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let iy = top + ky * p.dy;
        if iy >= p.ih { continue; }
        for (var c = 0u; c < inputs; c++) {
            let r = (row / p.oh * p.ih + iy) * p.iw * p.ic4 + first_c + c;
            let wr = (ky * p.kw * inputs + c) * p.oc4 + ob;
            for (var k = 0u; k < min(p.step, p.kw); k++) {
                let left = ox * p.sx + k * p.dx - p.px;
                var x0 = load(r, left); var x1 = load(r, left + p.sx); var x2 = load(r, left + 2u * p.sx); var x3 = load(r, left + 3u * p.sx);
                var x4 = load(r, left + 4u * p.sx); var x5 = load(r, left + 5u * p.sx); var x6 = load(r, left + 6u * p.sx);
                var x7 = vec4<f32>(0.0); var z0 = x7; var z1 = x7; var z2 = x7; var z3 = x7; var z4 = x7; var z5 = x7; var z6 = x7; var z7 = x7;
                if WIDE {
                    x7 = load(r, left + 7u * p.sx);
                    z0 = load(r, left + 8u * p.sx); z1 = load(r, left + 9u * p.sx); z2 = load(r, left + 10u * p.sx); z3 = load(r, left + 11u * p.sx);
                    z4 = load(r, left + 12u * p.sx); z5 = load(r, left + 13u * p.sx); z6 = load(r, left + 14u * p.sx);
                }
                var last = left + (pixels - 1u) * p.sx;
                for (var kx = k; kx < p.kw; kx += p.step) {
                    let m = weights_at(wr + kx * inputs * p.oc4);
                    if WIDE { z7 = load(r, last); } else { x7 = load(r, last); }
                    last += p.sx;
                    a0 += m * x0; a1 += m * x1; a2 += m * x2; a3 += m * x3;
                    a4 += m * x4; a5 += m * x5; a6 += m * x6; a7 += m * x7;
                    x0 = x1; x1 = x2; x2 = x3; x3 = x4; x4 = x5; x5 = x6; x6 = x7;
                    if WIDE {
                        b0 += m * z0; b1 += m * z1; b2 += m * z2; b3 += m * z3;
                        b4 += m * z4; b5 += m * z5; b6 += m * z6; b7 += m * z7;
                        x7 = z0; z0 = z1; z1 = z2; z2 = z3; z3 = z4; z4 = z5; z5 = z6; z6 = z7;
                    }
                }
            }
        }
    }
    // A loop, since every store in the text costs compile time.
    for (var at = ox; at < min(ox + pixels, p.ow); at++) {
        store(row * p.ow, at, ob, a0);
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7; a7 = b0;
        b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7;
    }
}

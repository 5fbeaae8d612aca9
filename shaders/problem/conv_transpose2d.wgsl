// Transposed convolution as products of matrices: outputs with equal (oy mod sy, ox mod sx) use the same taps. Each such phase is a
// matrix; its rows are pixels of the phase, columns output channels, taps those that meet inputs.
//   y[n, oc, oy, ox] = epilogue(sum over ic, ky, kx of x[n, ic of the group, iy, ix] w[ic, oc, ky, kx]),
//   over the taps for which iy = (oy + py - ky dy) / sy and ix = (ox + px - kx dx) / sx are whole and inside the image
//   x, w, y: shared/conv.wgsl
// A tap that meets no input is skipped once for all rows.

// A pixel of a phase: its output is (py, px) of the phase + (sy, sx) times this.
struct Row { y: u32, x: u32, n: u32 }

// A tap that meets inputs, `by` (wrapping below 0) from the pixel; the phase's row and column.
struct Tap { ky: u32, kx: u32, by: vec2<u32>, fy: u32, fx: u32 }

fn matrices() -> u32 {
    return p.sy * p.sx;
}

// Rows and columns of every phase: those of phase (0, 0), which has the most.
fn phase_size() -> vec2<u32> {
    return vec2<u32>((p.oh + p.sy - 1u) / p.sy, (p.ow + p.sx - 1u) / p.sx);
}

fn rows() -> u32 {
    let size = phase_size();
    return p.n * size.x * size.y;
}

fn row_at(phase: u32, r: u32) -> Row {
    let size = phase_size();
    let pixel = min(r, rows() - 1u);
    let line = pixel / size.y;
    let n = line / size.x;
    return Row(line - n * size.x, pixel - line * size.y, n);
}

// The distance in inputs (wrapping below 0) from a pixel of phase f to the input under a tap that is `back` output steps after
// the first, and whether the tap meets an input.
struct Distance { by: u32, meets: bool }

fn distance(f: u32, pad: u32, back: u32, stride: u32) -> Distance {
    // (f + pad - back) / stride, from `back` inputs further on, so that nothing is below 0.
    let outputs = f + pad + back * (stride - 1u);
    let q = outputs / stride;
    return Distance(q - back, q * stride == outputs);
}

fn no_line(phase: u32) -> Tap {
    let fy = phase / p.sx;
    return Tap(BEFORE, BEFORE, vec2<u32>(0u), fy, phase - fy * p.sx);
}

// The next line of taps that meets inputs.
fn next_line(t: Tap) -> Tap {
    var ky = t.ky;
    var d: Distance;
    loop {
        ky++;
        if ky >= p.kh { break; }
        d = distance(t.fy, p.py, ky * p.dy, p.sy);
        if d.meets { break; }
    }
    return Tap(ky, BEFORE, vec2<u32>(d.by, 0u), t.fy, t.fx);
}

// The next tap of the line that meets inputs.
fn next_tap(t: Tap) -> Tap {
    var kx = t.kx;
    var d: Distance;
    loop {
        kx++;
        if kx >= p.kw { break; }
        d = distance(t.fx, p.px, kx * p.dx, p.sx);
        if d.meets { break; }
    }
    return Tap(t.ky, kx, vec2<u32>(t.by.x, d.by), t.fy, t.fx);
}

fn start(row: Row, t: Tap, block: u32) -> u32 {
    return input_at(row.n, row.y + t.by.x, row.x + t.by.y, block);
}

fn store(phase: u32, r: u32, block: u32, v: vec4<f32>) {
    let o = row_at(phase, r);
    let fy = phase / p.sx;
    let oy = o.y * p.sy + fy;
    let ox = o.x * p.sx + phase - fy * p.sx;
    if oy < p.oh && ox < p.ow { store_pixel((o.n * p.oh + oy) * p.ow + ox, block, v); }
}

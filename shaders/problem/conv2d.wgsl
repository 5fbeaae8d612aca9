// Convolution as a product of matrices: rows are output pixels, columns output channels, taps those of the window.
//   y[n, oc, oy, ox] = epilogue(sum over ic, ky, kx of x[n, ic of the group, oy sy - py + ky dy, ox sx - px + kx dx] w[oc, ic, ky, kx])
//   x, w, y: shared/conv.wgsl
// One border test per 4 channels. The blocks that an invocation or a subgroup takes are of one group.

// The start of a pixel's window: image row and column (wrapping below 0), and the image.
struct Row { iy: u32, ix: u32, n: u32 }

struct Tap { ky: u32, kx: u32 }

fn matrices() -> u32 {
    return 1u;
}

fn rows() -> u32 {
    return p.n * p.oh * p.ow;
}

fn row_at(matrix: u32, r: u32) -> Row {
    let pixel = min(r, rows() - 1u);
    let line = pixel / p.ow;
    let n = line / p.oh;
    return Row((line - n * p.oh) * p.sy - p.py, (pixel - line * p.ow) * p.sx - p.px, n);
}

fn no_line(matrix: u32) -> Tap {
    return Tap(BEFORE, BEFORE);
}

fn next_line(t: Tap) -> Tap {
    return Tap(t.ky + 1u, BEFORE);
}

fn next_tap(t: Tap) -> Tap {
    return Tap(t.ky, t.kx + 1u);
}

fn start(row: Row, t: Tap, block: u32) -> u32 {
    return input_at(row.n, row.iy + t.ky * p.dy, row.ix + t.kx * p.dx, block);
}

fn store(matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    store_pixel(r, block, v);
}

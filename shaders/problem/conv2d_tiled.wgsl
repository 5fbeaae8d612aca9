// Convolution as a product of matrices by tiles in workgroup memory, for hardware: a matrix per group, rows are output pixels,
// columns output channels of the group, the inner dimension runs over taps and input channels of the group.
//   y[n, oc, oy, ox] = epilogue(sum over ic, ky, kx of x[n, ic of the group, oy sy - py + ky dy, ox sx - px + kx dx] w[oc, ic, ky, kx])
//   x, w, y: shared/conv.wgsl; with splits, y: [splits, n, oh, ow, oc4], their sums, and no epilogue

fn matrices() -> u32 {
    return p.groups;
}

fn rows() -> u32 {
    return p.n * p.oh * p.ow;
}

fn blocks() -> u32 {
    return p.ocg4;
}

fn steps() -> u32 {
    return p.kh * p.kw * p.icg4;
}

// The start of a pixel's window: image row and column (wrapping below 0); the index of its first block of the group, which wraps,
// too, if it is outside.
struct Row { iy: u32, ix: u32, first: u32 }

// A block of the inner dimension: rows and columns from the first tap, the block of channels; the index from that of the row.
struct Step { dy: u32, dx: u32, c: u32, i: u32 }

// As it is stored.
alias Loaded = vec4<Stored>;

fn values(v: Loaded) -> vec4<f32> {
    return vec4<f32>(v);
}

// The index in the first block of k.
alias Column = u32;

fn row_at(matrix: u32, r: u32) -> Row {
    let q = min(r, rows() - 1u);
    let iy = q / p.ow % p.oh * p.sy - p.py;
    let ix = q % p.ow * p.sx - p.px;
    return Row(iy, ix, ((q / p.ow / p.oh * p.ih + iy) * p.iw + ix) * p.ic4 + matrix * p.icg4);
}

fn step_at(k: u32) -> Step {
    let tap = k / p.icg4;
    let dy = tap / p.kw * p.dy;
    let dx = tap % p.kw * p.dx;
    return Step(dy, dx, k % p.icg4, (dy * p.iw + dx) * p.ic4 + k % p.icg4);
}

fn onward(s: Step) -> Step {
    var t = s;
    t.c += 4u;
    t.i += 4u;
    while t.c >= p.icg4 {
        t.c -= p.icg4;
        t.dx += p.dx;
        t.i += p.dx * p.ic4 - p.icg4;
        if t.dx == p.kw * p.dx {
            t.dx = 0u;
            t.dy += p.dy;
            t.i += (p.dy * p.iw - p.kw * p.dx) * p.ic4;
        }
    }
    return t;
}

fn inside(r: Row, s: Step) -> bool {
    return r.iy + s.dy < p.ih && r.ix + s.dx < p.iw;
}

fn load_x(r: Row, s: Step, ok: bool) -> Loaded {
    return x[select(0u, r.first + s.i, ok)];
}

fn column_at(matrix: u32, block: u32, j: u32) -> Column {
    return 4u * (matrix * blocks() + min(block, blocks() - 1u)) + j;
}

fn load_w(column: Column, k: u32, ok: bool) -> Loaded {
    return w[select(0u, 4u * k * p.oc4 + column, ok)];
}

fn store_sums(split: u32, matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    let ob = matrix * blocks() + block;
    let before = split * rows() * p.oc4;
    y[before + y_at(r, ob)] = vec4<Written>(finish4(v, ob, r * p.oc4 + ob));
}

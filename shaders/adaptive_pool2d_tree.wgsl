// y[n, oy, ox, c] = mean or max of x[n, iy, ix, c] over bin oy of the rows and bin ox of the columns, for large bins
//   x, y: as in adaptive_pool2d.wgsl
// One workgroup: one pixel of y, of a plane, or of 8 blocks of four channels, so that 8 neighbouring invocations load 128
// consecutive bytes (WIDTH, 1 or 8). Its SLICES slices reduce elements s, s + SLICES, .. of the bin in order; a fixed tree reduces the slices.

@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

const WORKGROUP = 64u;
const SLICES = WORKGROUP / WIDTH;

var<workgroup> partial: array<Value, WORKGROUP>;

fn compute(group: u32, t: u32) {
    let blocks = blocks_of(p.c);
    let parts = (blocks + WIDTH - 1u) / WIDTH;
    let pixel = group / parts;
    let n = pixel / p.ow / p.oh;
    if n >= p.n { return; }
    let block = group % parts * WIDTH + t % WIDTH;
    let columns = bin(pixel % p.ow, p.ow, p.iw);
    let rows = bin(pixel / p.ow % p.oh, p.oh, p.ih);
    let taps = rows.y * columns.y;
    var acc = Value(p.empty);
    for (var k = t / WIDTH; k < taps && block < blocks; k += SLICES) {
        let iy = rows.x + k / columns.y;
        let ix = columns.x + k % columns.y;
        acc = pool_combine(acc, Value(x[((n * p.ih + iy) * p.iw + ix) * blocks + block]));
    }
    partial[t] = acc;
    for (var half = WORKGROUP / 2u; half >= WIDTH; half /= 2u) {
        workgroupBarrier();
        if t < half { partial[t] = pool_combine(partial[t], partial[t + half]); }
    }
    if t < WIDTH && block < blocks { y[pixel * blocks + block] = Element(pool_finish(partial[t], taps)); }
}

// y[n, oy, ox, c] = mean or max of x[n, iy, ix, c] over bin oy of the rows and bin ox of the columns
//   x: [n, ih, iw, c] of Element   y: [n, oh, ow, c] of Element; an Element is four channels, or a value of a plane, which is an
//     image of one channel
// One invocation: one Element of y; neighbouring invocations take neighbouring channels, or columns, so that loads and stores
// coalesce.

@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

fn compute(i: u32) {
    let blocks = blocks_of(p.c);
    let pixel = i / blocks;
    let n = pixel / p.ow / p.oh;
    if n >= p.n { return; }
    let columns = bin(pixel % p.ow, p.ow, p.iw);
    let rows = bin(pixel / p.ow % p.oh, p.oh, p.ih);
    var acc = Value(p.empty);
    for (var ky = 0u; ky < rows.y; ky++) {
        let row = (n * p.ih + rows.x + ky) * p.iw + columns.x;
        for (var kx = 0u; kx < columns.y; kx++) {
            acc = pool_combine(acc, Value(x[(row + kx) * blocks + i % blocks]));
        }
    }
    y[i] = Element(pool_finish(acc, rows.y * columns.y));
}

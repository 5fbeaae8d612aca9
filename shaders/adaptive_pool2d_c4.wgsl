// y[n, oy, ox, c] = mean or max of x[n, iy, ix, c] over bin oy of the rows and bin ox of the columns, four channels at a time.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4
// Padding lanes of x are 0, hence so are those of y.
// One invocation: one vec4 of y; neighbouring invocations take neighbouring channels, so that loads and stores coalesce.

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    if i >= p.n * p.oh * p.ow * c4 { return; }
    let cb = i % c4;
    let columns = bin(i / c4 % p.ow, p.ow, p.iw);
    let rows = bin(i / (c4 * p.ow) % p.oh, p.oh, p.ih);
    let n = i / (c4 * p.ow * p.oh);
    var acc = vec4<f32>(p.empty);
    for (var ky = 0u; ky < rows.y; ky++) {
        let row = (n * p.ih + rows.x + ky) * p.iw + columns.x;
        for (var kx = 0u; kx < columns.y; kx++) {
            acc = pool_combine(acc, vec4<f32>(x[(row + kx) * c4 + cb]));
        }
    }
    y[i] = vec4<Stored>(pool_finish(acc, rows.y * columns.y));
}

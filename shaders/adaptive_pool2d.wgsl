// y[plane, oy, ox] = mean or max of x[plane, iy, ix] over bin oy of the rows and bin ox of the columns
//   x: row-major [planes, ih, iw]   y: row-major [planes, oh, ow]   (a plane is one channel of one image)
// One invocation: one output.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.n * p.oh * p.ow { return; }
    let columns = bin(i % p.ow, p.ow, p.iw);
    let rows = bin(i / p.ow % p.oh, p.oh, p.ih);
    let plane = i / (p.ow * p.oh);
    var acc = vec4<f32>(p.empty);
    for (var ky = 0u; ky < rows.y; ky++) {
        let row = (plane * p.ih + rows.x + ky) * p.iw + columns.x;
        for (var kx = 0u; kx < columns.y; kx++) {
            acc = pool_combine(acc, vec4<f32>(x[row + kx]));
        }
    }
    y[i] = pool_finish(acc, rows.y * columns.y).x;
}

// y[plane, oy, ox] = mean or max of x[plane, iy, ix] over bin oy of the rows and bin ox of the columns, for large bins.
//   x: row-major [planes, ih, iw]   y: row-major [planes, oh, ow]
// One workgroup: one output. Invocation t reduces elements t, t + 64, .. of the bin in order, so that neighbouring invocations
// load neighbouring elements; a fixed tree reduces the 64 results.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const WORKGROUP = 64u;

var<workgroup> partial: array<vec4<f32>, WORKGROUP>;

fn compute(i: u32, t: u32) {
    let plane = i / (p.ow * p.oh);
    if plane >= p.n { return; }
    let columns = bin(i % p.ow, p.ow, p.iw);
    let rows = bin(i / p.ow % p.oh, p.oh, p.ih);
    let taps = rows.y * columns.y;
    var acc = vec4<f32>(p.empty);
    for (var k = t; k < taps; k += 64u) {
        let iy = rows.x + k / columns.y;
        let ix = columns.x + k % columns.y;
        acc = pool_combine(acc, vec4<f32>(x[(plane * p.ih + iy) * p.iw + ix]));
    }
    partial[t] = acc;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { partial[t] = pool_combine(partial[t], partial[t + half]); }
    }
    if t == 0u { y[i] = pool_finish(partial[0], taps).x; }
}

// y[n, oy, ox, c] = mean or max of x[n, iy, ix, c] over bin oy of the rows and bin ox of the columns, for large bins.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4
// One workgroup: 8 blocks of four channels of one output position, so that 8 neighbouring invocations load 128 consecutive bytes.
// Invocation (r, b) reduces elements r, r + 8, .. of the bin for block b in order; a fixed tree reduces the 8 rows.

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

const WORKGROUP = 64u;

var<workgroup> partial: array<vec4<f32>, WORKGROUP>;

fn compute(i: u32, t: u32) {
    let c4 = (p.c + 3u) / 4u;
    let c32 = (c4 + 7u) / 8u;
    if i >= p.n * p.oh * p.ow * c32 { return; }
    let cb = i % c32 * 8u + t % 8u;
    let pixel = i / c32;
    let columns = bin(pixel % p.ow, p.ow, p.iw);
    let rows = bin(pixel / p.ow % p.oh, p.oh, p.ih);
    let n = pixel / (p.ow * p.oh);
    let taps = rows.y * columns.y;
    var acc = vec4<f32>(p.empty);
    for (var k = t / 8u; k < taps && cb < c4; k += 8u) {
        let iy = rows.x + k / columns.y;
        let ix = columns.x + k % columns.y;
        acc = pool_combine(acc, vec4<f32>(x[((n * p.ih + iy) * p.iw + ix) * c4 + cb]));
    }
    partial[t] = acc;
    for (var half = 32u; half >= 8u; half /= 2u) {
        workgroupBarrier();
        if t < half { partial[t] = pool_combine(partial[t], partial[t + half]); }
    }
    if t < 8u && cb < c4 { y[pixel * c4 + cb] = vec4<Stored>(pool_finish(partial[t], taps)); }
}

// Adaptive pooling as in adaptive_pool2d, for large bins.
//   x: row-major [planes, ih, iw]   y: row-major [planes, oh, ow]
// One workgroup: one output. Invocation t reduces elements t, t + 64, .. of the bin in order, so that neighbouring invocations
// load neighbouring elements; a fixed tree reduces the 64 results.

struct Params { planes: u32, ih: u32, iw: u32, oh: u32, ow: u32, empty: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = group.x + group.y * groups.x;
    if i >= p.planes * p.oh * p.ow { return; }
    let columns = bin(i % p.ow, p.ow, p.iw);
    let rows = bin(i / p.ow % p.oh, p.oh, p.ih);
    let plane = i / (p.ow * p.oh);
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

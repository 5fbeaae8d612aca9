// y = (x - mean) * scale * weight + bias (shared/normalize.wgsl).
//   x, y: row-major, seen as [outer, slices, inner] for the statistics and [outer', entries, step] for weight and bias
//   weight, bias: [entries]
// One invocation: one value.

struct Params { n: u32, slices: u32, inner: u32, entries: u32, step: u32, eps: f32 }

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.n { return; }
    let slice = i / p.inner % p.slices;
    let entry = i / p.step % p.entries;
    var scale = scale_of(slice);
    if WEIGHT { scale *= weight[entry]; }
    var v = (x[i] - mean[slice]) * scale;
    if BIAS { v += bias[entry]; }
    y[i] = v;
}

// y = (x - mean) * scale * weight + bias, where scale is 1 / sqrt(spread + eps), or spread itself where INVERSE.
//   x, y: row-major, seen as [outer, slices, inner] for the statistics and [outer', entries, step] for weight and bias
//   mean, spread: [slices]      weight, bias: [entries], left out unless WEIGHT, BIAS
// One invocation: one value.

struct Params { n: u32, slices: u32, inner: u32, entries: u32, step: u32, eps: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> spread: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

override INVERSE: bool = false;
override WEIGHT: bool = false;
override BIAS: bool = false;

fn compute(i: u32) {
    if i >= p.n { return; }
    let slice = i / p.inner % p.slices;
    let entry = i / p.step % p.entries;
    var scale = spread[slice];
    if !INVERSE { scale = inverseSqrt(scale + p.eps); }
    if WEIGHT { scale *= weight[entry]; }
    var v = (x[i] - mean[slice]) * scale;
    if BIAS { v += bias[entry]; }
    y[i] = v;
}

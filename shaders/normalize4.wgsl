// y = (x - mean) * scale * weight + bias (shared/normalize.wgsl), for slices whose inner is a multiple of 4, four values at a
// time.
//   x, y: row-major [outer, slices, inner / 4] of vec4; the others as in normalize.wgsl
//   AFFINE selects the entries of weight and bias for the inner values of a row: one for the row, one per vec4 (BLOCK), or entry k
//   for value k
// One invocation: up to 8 vec4s of a row, `tiles` apart, for which it reads the statistics once.

struct Params { rows: u32, slices: u32, inner: u32, entries: u32, step: u32, tiles: u32, eps: f32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<f32>>;

override AFFINE: u32 = AFFINE_ROW;

fn weight_at(entry: u32) -> vec4<f32> {
    if !WEIGHT { return vec4<f32>(1.0); }
    if AFFINE == AFFINE_VALUE { return weight[entry / 4u]; }
    return vec4<f32>(weight[entry / 4u][entry % 4u]);
}

fn bias_at(entry: u32) -> vec4<f32> {
    if !BIAS { return vec4<f32>(0.0); }
    if AFFINE == AFFINE_VALUE { return bias[entry / 4u]; }
    return vec4<f32>(bias[entry / 4u][entry % 4u]);
}

fn compute(i: u32) {
    let row = i / p.tiles;
    if row >= p.rows { return; }
    let slice = row % p.slices;
    let m = mean[slice];
    let scale = scale_of(slice);
    let first = row * p.inner;
    var s: vec4<f32>;
    var b: vec4<f32>;
    if AFFINE == AFFINE_ROW {
        let entry = first / p.step % p.entries;
        s = scale * weight_at(entry);
        b = bias_at(entry);
    }
    for (var k = (i - row * p.tiles) * 4u; k < p.inner; k += p.tiles * 4u) {
        if AFFINE != AFFINE_ROW {
            var entry = k;
            if AFFINE == AFFINE_BLOCK { entry = (first + k) / p.step % p.entries; }
            s = scale * weight_at(entry);
            b = bias_at(entry);
        }
        y[(first + k) / 4u] = (x[(first + k) / 4u] - m) * s + b;
    }
}

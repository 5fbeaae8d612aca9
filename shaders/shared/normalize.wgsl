
// --- shared/normalize.wgsl ---
// The statistics of y = (x - mean) scale weight + bias. scale: 1 / sqrt(spread + eps), or spread itself where INVERSE.
//   mean, spread: [slices]   weight, bias: left out unless WEIGHT, BIAS

@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> spread: array<f32>;

override INVERSE: bool = false;
override WEIGHT: bool = false;
override BIAS: bool = false;

fn scale_of(slice: u32) -> f32 {
    if INVERSE { return spread[slice]; }
    return inverseSqrt(spread[slice] + p.eps);
}

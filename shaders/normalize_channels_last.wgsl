// y = (x - mean) * scale * weight + bias (shared/normalize.wgsl), weight and bias one per channel.
//   x, y: channels-last [n, pixels, c4] of vec4, padding lanes of y 0
//   mean, spread: slice number image * image_slices + channel / members (image_slices is 0 where images share statistics)
//   weight, bias: [c]
// One invocation: one vec4 of 8 neighbouring pixels of an image, for which it reads statistics, weight and bias once;
// neighbouring invocations take neighbouring channels.

struct Params { n: u32, pixels: u32, c: u32, image_slices: u32, members: u32, eps: f32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<Stored>>;

// The factor of channel c of an image; 0 in padding lanes.
fn factor_of(image: u32, c: u32) -> f32 {
    if c >= p.c { return 0.0; }
    let scale = scale_of(slice_of(image, c));
    if WEIGHT { return scale * weight[c]; }
    return scale;
}

fn mean_of(image: u32, c: u32) -> f32 {
    if c >= p.c { return 0.0; }
    return mean[slice_of(image, c)];
}

fn bias_of(c: u32) -> f32 {
    if !BIAS || c >= p.c { return 0.0; }
    return bias[c];
}

fn slice_of(image: u32, c: u32) -> u32 {
    return image * p.image_slices + c / p.members;
}

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    let tiles = (p.pixels + 7u) / 8u;
    if i >= p.n * tiles * c4 { return; }
    let tile = i / c4;
    let image = tile / tiles;
    let c = (i - tile * c4) * 4u;
    let m = vec4<f32>(mean_of(image, c), mean_of(image, c + 1u), mean_of(image, c + 2u), mean_of(image, c + 3u));
    let s = vec4<f32>(factor_of(image, c), factor_of(image, c + 1u), factor_of(image, c + 2u), factor_of(image, c + 3u));
    let b = vec4<f32>(bias_of(c), bias_of(c + 1u), bias_of(c + 2u), bias_of(c + 3u));
    let pixel = (tile - image * tiles) * 8u;
    let first = (image * p.pixels + pixel) * c4 + c / 4u;
    let end = first + min(p.pixels - pixel, 8u) * c4;
    for (var at = first; at < end; at += c4) {
        y[at] = vec4<Stored>((vec4<f32>(x[at]) - m) * s + b);
    }
}

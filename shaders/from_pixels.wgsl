// y[c, oy, ox] = (scale * sum over the taps of row oy and of column ox of wy wx pixel(iy, ix)[c] - mean[c]) / std[c]
//   x: rows of `pitch` pixels; a pixel is a word of four bytes, or with FLOATS four words of f32   rows: [oh, TAPS_Y]
//   columns: [ow, TAPS_X]   y: channels `channel` apart, pixels `step` apart   inv: 1 / std   COUNT: 1 (the luma), 3 or 4 channels
//   SWAPPED: the pixels' first and third numbers are exchanged. One tap of weight 1 per axis leaves a pixel as it is.
// One invocation: all channels of one pixel of y.

struct Params {
    pitch: u32, oh: u32, ow: u32, channel: u32, step: u32, scale: f32,
    mean0: f32, mean1: f32, mean2: f32, mean3: f32, inv0: f32, inv1: f32, inv2: f32, inv3: f32,
}

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override COUNT: u32 = 3u;
override SWAPPED: bool = false;
override FLOATS: bool = false;

fn pixel(i: u32) -> vec4<f32> {
    if FLOATS {
        return bitcast<vec4<f32>>(vec4<u32>(x[4u * i], x[4u * i + 1u], x[4u * i + 2u], x[4u * i + 3u]));
    }
    return vec4<f32>((vec4<u32>(x[i]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u));
}

fn compute(i: u32) {
    if i >= p.oh * p.ow { return; }
    let row = (i / p.ow) * TAPS_Y;
    let column = (i % p.ow) * TAPS_X;
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < TAPS_Y; ky++) {
        let ty = rows[row + ky];
        var line = vec4<f32>(0.0);
        for (var kx = 0u; kx < TAPS_X; kx++) {
            let tx = columns[column + kx];
            line += tx.weight * pixel(ty.at * p.pitch + tx.at);
        }
        sum += ty.weight * line;
    }
    if SWAPPED { sum = sum.bgra; }
    if COUNT == 1u { sum.r = dot(sum.rgb, vec3<f32>(0.2989959716796875, 0.587005615234375, 0.1139984130859375)); }
    let mean = vec4<f32>(p.mean0, p.mean1, p.mean2, p.mean3);
    let inverse = vec4<f32>(p.inv0, p.inv1, p.inv2, p.inv3);
    let value = (sum * p.scale - mean) * inverse;
    let to = i * p.step;
    y[to] = value.x;
    if COUNT >= 3u {
        y[to + p.channel] = value.y;
        y[to + 2u * p.channel] = value.z;
    }
    if COUNT == 4u { y[to + 3u * p.channel] = value.w; }
}

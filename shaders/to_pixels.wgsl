// y[py, px] = the bytes of round(x[c, py, px] * mul[c] + add[c]), halves up, clamped to 0..255; 0 for NaN, and from px = w on
//   x: channels `channel` apart, pixels `step` apart   y: [h, pitch], a word per pixel   COUNT: 1, 3 or 4 channels; one becomes
//   three equal ones; without a fourth the last byte is 255   SWAPPED: the pixels' first and third bytes are exchanged.
// One invocation: one word.

struct Params {
    h: u32, w: u32, pitch: u32, channel: u32, step: u32,
    mul0: f32, mul1: f32, mul2: f32, mul3: f32, add0: f32, add1: f32, add2: f32, add3: f32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

override COUNT: u32 = 3u;
override SWAPPED: bool = false;

fn byte(i: u32, mul: f32, add: f32) -> u32 {
    let v = x[i];
    if is_nan(v) { return 0u; }
    return u32(clamp(floor(v * mul + add + 0.5), 0.0, 255.0));
}

fn compute(i: u32) {
    if i >= p.h * p.pitch { return; }
    let row = i / p.pitch;
    let column = i - row * p.pitch;
    if column >= p.w {
        y[i] = 0u;
        return;
    }
    let at = (row * p.w + column) * p.step;
    let first = byte(at, p.mul0, p.add0);
    var bytes = vec4<u32>(first, first, first, 255u);
    if COUNT >= 3u {
        bytes.g = byte(at + p.channel, p.mul1, p.add1);
        bytes.b = byte(at + 2u * p.channel, p.mul2, p.add2);
    }
    if COUNT == 4u { bytes.a = byte(at + 3u * p.channel, p.mul3, p.add3); }
    if SWAPPED { bytes = bytes.bgra; }
    y[i] = bytes.r | (bytes.g << 8u) | (bytes.b << 16u) | (bytes.a << 24u);
}

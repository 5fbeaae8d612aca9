// y[n, hw, c] = x[n, c, hw], rounded where y is f16; padding lanes of c hold 0. For images of whole vec4s (hw % 4 == 0).
//   x: row-major [n, c, hw4] of vec4       y: channels-last [n, hw, c4] of vec4
// One invocation: 4 channels of 4 pixels, transposed in registers; neighbouring invocations take neighbouring pixels.
// Compared with to_channels_last: vec4 loads, and a quarter of the index arithmetic.

struct Params { n: u32, c: u32, hw: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Wide>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

// Four pixels of channel c, 0 beyond the last channel; `at` is the index of the pixels in the image's first channel.
fn load(at: u32, c: u32) -> vec4<Wide> {
    let hw4 = p.hw / 4u;
    return select(vec4<Wide>(), x[at + min(c, p.c - 1u) * hw4], c < p.c);
}

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    let hw4 = p.hw / 4u;
    let rest = i / hw4;
    let q = i - rest * hw4;
    let n = rest / c4;
    let cb = rest - n * c4;
    if n >= p.n { return; }
    let at = n * p.c * hw4 + q;
    let u0 = load(at, cb * 4u); let u1 = load(at, cb * 4u + 1u); let u2 = load(at, cb * 4u + 2u); let u3 = load(at, cb * 4u + 3u);
    let to = (n * p.hw + q * 4u) * c4 + cb;
    y[to] = vec4<Stored>(vec4<Wide>(u0.x, u1.x, u2.x, u3.x));
    y[to + c4] = vec4<Stored>(vec4<Wide>(u0.y, u1.y, u2.y, u3.y));
    y[to + 2u * c4] = vec4<Stored>(vec4<Wide>(u0.z, u1.z, u2.z, u3.z));
    y[to + 3u * c4] = vec4<Stored>(vec4<Wide>(u0.w, u1.w, u2.w, u3.w));
}

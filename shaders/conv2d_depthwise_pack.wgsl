// Weights for conv2d_depthwise.wgsl: wp[tap, cb] holds one tap of four channels; channels beyond the last are 0.
//   w: row-major [c, 1, taps]   wp: [taps, c4] of vec4
// One invocation: one vec4 of wp.

struct Params { c: u32, taps: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> wp: array<vec4<Stored>>;

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    if i >= p.taps * c4 { return; }
    var v = vec4<f32>(0.0);
    for (var k = 0u; k < 4u; k++) {
        let c = i % c4 * 4u + k;
        if c < p.c { v[k] = w[c * p.taps + i / c4]; }
    }
    wp[i] = vec4<Stored>(v);
}

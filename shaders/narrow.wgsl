enable f16;
// y[i] = x[i] rounded to f16.
//   x, y: count4 vec4s, channels-last
// One invocation: one vec4.

struct Params { count4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f16>>;

fn compute(i: u32) {
    if i >= p.count4 { return; }
    y[i] = vec4<f16>(x[i]);
}

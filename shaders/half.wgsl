// y[i] = x[i] in the other precision: rounded to f16, or widened from it.
//   x, y: count4 vec4s, channels-last
// One invocation: one vec4.

struct Params { count4: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<From>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<To>>;

fn compute(i: u32) {
    if i >= p.count4 { return; }
    y[i] = vec4<To>(x[i]);
}

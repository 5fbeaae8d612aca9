// y = u + v: u and v start as x and x + 1 and go through 8 rounds steps z = a z + b each. With a = b = 1 and integers: y = 2 x +
// 1 + 16 rounds, exactly. Measures the peak rate of the ALUs: 8 independent chains per invocation, and almost no memory access.
//   x, y: count4 vec4s
// One invocation: one vec4. a and b come from the params, so that no compiler can shorten the chain.

struct Params { count4: u32, rounds: u32, a: f32, b: f32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

fn compute(i: u32) {
    if i >= p.count4 { return; }
    let a = vec4<f32>(p.a);
    let b = vec4<f32>(p.b);
    var u = x[i];
    var v = u + 1.0;
    for (var round = 0u; round < p.rounds; round++) {
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
        u = fma(u, a, b); v = fma(v, a, b);
    }
    y[i] = u + v;
}

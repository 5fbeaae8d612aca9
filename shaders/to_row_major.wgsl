// y[n, c, hw] = x[n, hw, c].
//   x: channels-last [n, hw, c4] of vec4   y: row-major [n, c, hw]
// One invocation: one vec4 of x; neighbouring invocations take neighbouring hw, so that the four stores coalesce.

struct Params { n: u32, c: u32, hw: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<Wide>;

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    if i >= p.n * c4 * p.hw { return; }
    let hw = i % p.hw;
    let cb = (i / p.hw) % c4;
    let n = i / (p.hw * c4);
    let v = vec4<Wide>(x[(n * p.hw + hw) * c4 + cb]);
    for (var k = 0u; k < 4u; k++) {
        let c = cb * 4u + k;
        if c < p.c { y[(n * p.c + c) * p.hw + hw] = v[k]; }
    }
}

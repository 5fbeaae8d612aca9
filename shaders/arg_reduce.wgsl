// y[o, i] = the index k of the largest x[o, k, i] (SMALLEST: the smallest).
//   x: 4-byte elements by their bits, floats or integers; row-major, seen as [outer, n, inner]      y: row-major [outer, inner]
// One invocation: one output.

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

fn compute(i: u32) {
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    var best = x[first];
    var at = 0u;
    for (var k = 1u; k < p.n; k++) {
        let v = x[first + k * p.inner];
        if precedes(v, k, best, at) {
            best = v;
            at = k;
        }
    }
    y[i] = i32(at);
}

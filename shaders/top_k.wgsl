// values[o, r, i], indices[o, r, i] = the value x[o, j, i] of rank r (r values come before it), and j, for r < k.
//   x, values: 4-byte elements by their bits, floats or integers
//   x: row-major, seen as [outer, n, inner]      values, indices: row-major [outer, k, inner]
// One invocation: one value; it counts the values before it, so that every output is written by one invocation.

struct Params { outer: u32, n: u32, inner: u32, k: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> indices: array<i32>;

fn compute(e: u32) {
    if e >= p.outer * p.n * p.inner { return; }
    let i = e % p.inner;
    let j = e / p.inner % p.n;
    let o = e / (p.inner * p.n);
    let first = o * p.n * p.inner + i;
    let v = x[e];
    var before = 0u;
    for (var m = 0u; m < p.n; m++) {
        before += u32(m != j && precedes(x[first + m * p.inner], m, v, j));
    }
    if before >= p.k { return; }
    let at = (o * p.k + before) * p.inner + i;
    values[at] = v;
    indices[at] = i32(j);
}

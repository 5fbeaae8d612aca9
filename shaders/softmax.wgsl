// y[o, k, i] = exp(x[o, k, i] - m) / sum over k of exp(x[o, k, i] - m), m the maximum over k; LOG: its logarithm.
//   x, y: row-major, seen as [outer, n, inner]
// One invocation: one softmax, three loops over its n values. A set with a NaN or +inf, or of -inf alone, gives NaNs.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    let end = first + p.n * p.inner;
    var m = p.lowest;
    for (var k = first; k < end; k += p.inner) { m = larger(m, x[k]); }
    var sum = 0.0;
    for (var k = first; k < end; k += p.inner) { sum += term(x[k], m); }
    for (var k = first; k < end; k += p.inner) { y[k] = share(x[k], m, sum); }
}

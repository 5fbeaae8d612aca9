// y[o, k, i] = exp(x[o, k, i] - m) / sum over k of exp(x[o, k, i] - m), m the maximum over k; LOG: its logarithm. For long sets.
//   x, y: row-major, seen as [outer, n, inner]
// One workgroup: one softmax; an invocation loops over every WORKGROUP-th value, then a tree.
// WORKGROUP: ops::softmax::TREE.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const WORKGROUP = 256u;
const LANES = WORKGROUP;

fn compute(i: u32, t: u32) {
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    let end = first + p.n * p.inner;
    let step = WORKGROUP * p.inner;
    let own = first + t * p.inner;

    var largest = p.lowest;
    for (var k = own; k < end; k += step) { largest = larger(largest, x[k]); }
    let m = tree_larger(largest, t);
    var partial = 0.0;
    for (var k = own; k < end; k += step) { partial += term(x[k], m); }
    let sum = tree_sum(partial, t);
    for (var k = own; k < end; k += step) { y[k] = share(x[k], m, sum); }
}

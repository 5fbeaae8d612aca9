// y[o, i] = the index k of the largest x[o, k, i] (SMALLEST: the smallest).
//   x, y: shared/arg_set.wgsl
// One invocation: one output.

fn compute(i: u32) {
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    var best = Best(x[first], 0u);
    for (var k = 1u; k < p.n; k++) { best = better(best, first, k); }
    y[i] = i32(best.at);
}

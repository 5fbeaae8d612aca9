// y[o, i] = the index k of the largest x[o, k, i] (SMALLEST: the smallest), for long axes: n >= WORKGROUP.
//   x, y: shared/arg_set.wgsl
// One workgroup: one output; an invocation loops over every WORKGROUP-th value, four per iteration; then a tree. WORKGROUP: ops::reduce::TREE.

const WORKGROUP = 256u;

var<workgroup> tree: array<Best, WORKGROUP>;

fn compute(i: u32, t: u32) {
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    var best = Best(x[first + t * p.inner], t);
    var k = t + WORKGROUP;
    for (; k + 3u * WORKGROUP < p.n; k += 4u * WORKGROUP) {
        best = better(better(better(better(best, first, k), first, k + WORKGROUP), first, k + 2u * WORKGROUP), first, k + 3u * WORKGROUP);
    }
    for (; k < p.n; k += WORKGROUP) { best = better(best, first, k); }
    tree[t] = best;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half {
            let other = tree[t + half];
            if precedes(other.value, other.at, tree[t].value, tree[t].at) { tree[t] = other; }
        }
    }
    if t == 0u { y[i] = i32(tree[0].at); }
}

// y[o, i] = the index k of the largest x[o, k, i] (SMALLEST: the smallest), for long axes: n >= WORKGROUP.
//   x, y: as in arg_reduce.wgsl
// One workgroup: one output; an invocation loops over every WORKGROUP-th value, four per iteration; then a tree. WORKGROUP: ops::reduce::TREE.

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

struct Best { value: u32, at: u32 }

const WORKGROUP = 256u;

var<workgroup> tree: array<Best, WORKGROUP>;

// The better of `best` and value k of the set that begins at `first`.
fn better(best: Best, first: u32, k: u32) -> Best {
    let v = x[first + k * p.inner];
    if precedes(v, k, best.value, best.at) { return Best(v, k); }
    return best;
}

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

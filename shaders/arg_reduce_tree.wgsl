// arg_reduce.wgsl for long axes, n >= LANES. One workgroup: one output; an invocation loops over every LANES-th value,
// four per iteration; then a tree. LANES: ops::reduce::TREE.

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

struct Best { value: u32, at: u32 }

const LANES = 256u;

var<workgroup> tree: array<Best, LANES>;

// The better of `best` and value k of the set that begins at `first`.
fn better(best: Best, first: u32, k: u32) -> Best {
    let v = x[first + k * p.inner];
    if beats(v, k, best.value, best.at) { return Best(v, k); }
    return best;
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = group_id(group, groups);
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    var best = Best(x[first + t * p.inner], t);
    var k = t + LANES;
    for (; k + 3u * LANES < p.n; k += 4u * LANES) {
        best = better(better(better(better(best, first, k), first, k + LANES), first, k + 2u * LANES), first, k + 3u * LANES);
    }
    for (; k < p.n; k += LANES) { best = better(best, first, k); }
    tree[t] = best;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half {
            let other = tree[t + half];
            if beats(other.value, other.at, tree[t].value, tree[t].at) { tree[t] = other; }
        }
    }
    if t == 0u { y[i] = i32(tree[0].at); }
}

// y[o, k, i] = x[o, k, i] / norm of x[o, .., i], or 0 where the norm is 0; P 1: sum of |x|, 2: root of the sum of squares.
//   x, y: row-major, seen as [outer, n, inner]
// One workgroup: one norm; an invocation loops over every 64th value, then a tree.

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override P: u32 = 2u;

var<workgroup> tree: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = group_id(group, groups);
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    let own = first + t * p.inner;
    let end = first + p.n * p.inner;
    var sum = 0.0;
    for (var k = own; k < end; k += 64u * p.inner) { sum += select(x[k] * x[k], abs(x[k]), P == 1u); }
    tree[t] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] += tree[t + half]; }
    }
    workgroupBarrier();
    let total = tree[0];
    let norm = select(sqrt(total), total, P == 1u);
    for (var k = own; k < end; k += 64u * p.inner) {
        var v = 0.0;
        if total > 0.0 { v = x[k] / norm; }
        y[k] = v;
    }
}

// y[o, k, i] = x[o, k, i] / norm of x[o, .., i], or 0 where the norm is 0; P 1: sum of |x|, 2: root of the sum of squares.
//   x, y: row-major, seen as [outer, n, inner]
// One workgroup: one norm; an invocation loops over every LANES-th value, four per iteration; then a tree.
// LANES: ops::normalize::TREE.

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override P: u32 = 2u;

const LANES = 64u;

var<workgroup> tree: array<f32, LANES>;

fn term(i: u32) -> f32 {
    return select(x[i] * x[i], abs(x[i]), P == 1u);
}

fn share(i: u32, total: f32, norm: f32) {
    var v = 0.0;
    if total > 0.0 { v = x[i] / norm; }
    y[i] = v;
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
    var sum = 0.0;
    var k = t;
    for (; k + 3u * LANES < p.n; k += 4u * LANES) {
        sum += term(first + k * p.inner);
        sum += term(first + (k + LANES) * p.inner);
        sum += term(first + (k + 2u * LANES) * p.inner);
        sum += term(first + (k + 3u * LANES) * p.inner);
    }
    for (; k < p.n; k += LANES) { sum += term(first + k * p.inner); }
    tree[t] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] += tree[t + half]; }
    }
    workgroupBarrier();
    let total = tree[0];
    let norm = select(sqrt(total), total, P == 1u);
    k = t;
    for (; k + 3u * LANES < p.n; k += 4u * LANES) {
        share(first + k * p.inner, total, norm);
        share(first + (k + LANES) * p.inner, total, norm);
        share(first + (k + 2u * LANES) * p.inner, total, norm);
        share(first + (k + 3u * LANES) * p.inner, total, norm);
    }
    for (; k < p.n; k += LANES) { share(first + k * p.inner, total, norm); }
}

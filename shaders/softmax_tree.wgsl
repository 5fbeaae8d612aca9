// softmax.wgsl for long sets. One workgroup: one softmax; an invocation loops over every LANES-th value, then a tree.
// LANES: ops::softmax::TREE.

struct Params { outer: u32, n: u32, inner: u32, lowest: f32, nan: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const LANES = 256u;

var<workgroup> tree: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = group_id(group, groups);
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    let end = first + p.n * p.inner;
    let step = LANES * p.inner;
    let own = first + t * p.inner;

    tree[t] = p.lowest;
    for (var k = own; k < end; k += step) { tree[t] = larger(tree[t], x[k]); }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] = larger(tree[t], tree[t + half]); }
    }
    workgroupBarrier();
    let m = tree[0];
    workgroupBarrier();

    var partial = 0.0;
    for (var k = own; k < end; k += step) { partial += term(x[k], m); }
    tree[t] = partial;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] += tree[t + half]; }
    }
    workgroupBarrier();
    let sum = tree[0];
    for (var k = own; k < end; k += step) { y[k] = share(x[k], m, sum); }
}

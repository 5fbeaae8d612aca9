// reduce.wgsl for long reductions. One workgroup: one output; an invocation loops over every LANES-th value, in order,
// four per iteration; then a tree. LANES: ops::reduce::TREE.

struct Params {
    outputs: u32, count: u32,
    k1: u32, k2: u32, ks0: u32, ks1: u32, ks2: u32,
    r1: u32, r2: u32, rs0: u32, rs1: u32, rs2: u32,
    lowest: f32, highest: f32, empty: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

const LANES = 256u;

var<workgroup> tree: array<u32, LANES>;

fn fold(kind: u32, o: u32, t: u32, shift: f32) -> u32 {
    let origin = first(o);
    var a = start(kind);
    var r = t;
    for (; r + 3u * LANES < p.count; r += 4u * LANES) {
        a = join(kind, a, map(kind, x[origin + offset(r)], shift));
        a = join(kind, a, map(kind, x[origin + offset(r + LANES)], shift));
        a = join(kind, a, map(kind, x[origin + offset(r + 2u * LANES)], shift));
        a = join(kind, a, map(kind, x[origin + offset(r + 3u * LANES)], shift));
    }
    for (; r < p.count; r += LANES) { a = join(kind, a, map(kind, x[origin + offset(r)], shift)); }
    workgroupBarrier();
    tree[t] = a;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] = join(kind, tree[t], tree[t + half]); }
    }
    workgroupBarrier();
    return tree[0];
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let o = group_id(group, groups);
    if o >= p.outputs { return; }
    var shift = 0.0;
    if KIND == REDUCE_LOG_SUM_EXP { shift = bitcast<f32>(fold(REDUCE_MAX, o, t, 0.0)); }
    let all = fold(KIND, o, t, shift);
    if t == 0u { y[o] = finish(all, shift); }
}

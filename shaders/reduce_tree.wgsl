// y[o] = finish(map(x) joined over the values of output o): sum, mean, max, ... by KIND, for long reductions.
//   x, y: as in reduce.wgsl
// One workgroup: one output; an invocation loops over every WORKGROUP-th value, in order, four per iteration; then a tree. WORKGROUP: ops::reduce::TREE.

const WORKGROUP = 256u;

var<workgroup> tree: array<u32, WORKGROUP>;

fn fold(kind: u32, o: u32, t: u32, shift: f32) -> u32 {
    let origin = first(o);
    var a = start(kind);
    var r = t;
    for (; r + 3u * WORKGROUP < p.count; r += 4u * WORKGROUP) {
        a = join(kind, a, map(kind, x[origin + offset(r)], shift));
        a = join(kind, a, map(kind, x[origin + offset(r + WORKGROUP)], shift));
        a = join(kind, a, map(kind, x[origin + offset(r + 2u * WORKGROUP)], shift));
        a = join(kind, a, map(kind, x[origin + offset(r + 3u * WORKGROUP)], shift));
    }
    for (; r < p.count; r += WORKGROUP) { a = join(kind, a, map(kind, x[origin + offset(r)], shift)); }
    workgroupBarrier();
    tree[t] = a;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] = join(kind, tree[t], tree[t + half]); }
    }
    workgroupBarrier();
    return tree[0];
}

fn compute(o: u32, t: u32) {
    if o >= p.outputs { return; }
    var shift = 0.0;
    if KIND == REDUCE_LOG_SUM_EXP { shift = bitcast<f32>(fold(REDUCE_MAX, o, t, 0.0)); }
    let all = fold(KIND, o, t, shift);
    if t == 0u { y[o] = finish(all, shift); }
}

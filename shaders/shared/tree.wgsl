
// --- shared/tree.wgsl ---
// Values of a team of LANES invocations, a power of two, joined in pairs: the first half with the second, and so on. All invocations
// of the workgroup call these functions, t is their index, and all of a team get the result. Needs LANES and WORKGROUP.

var<workgroup> tree: array<f32, WORKGROUP>;

// The number of an invocation in its team.
fn lane_of(t: u32) -> u32 {
    if LANES == WORKGROUP { return t; }
    return t % LANES;
}

fn tree_sum(v: f32, t: u32) -> f32 {
    if LANES == 1u { return v; }
    tree[t] = v;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane_of(t) < half { tree[t] += tree[t + half]; }
    }
    return tree_root(t);
}

// The team's result. It is read before the next value is written.
fn tree_root(t: u32) -> f32 {
    workgroupBarrier();
    let root = tree[t - lane_of(t)];
    workgroupBarrier();
    return root;
}

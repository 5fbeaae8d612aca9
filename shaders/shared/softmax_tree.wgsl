
// --- shared/softmax_tree.wgsl ---

fn tree_larger(v: f32, t: u32) -> f32 {
    tree[t] = v;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane_of(t) < half { tree[t] = larger(tree[t], tree[t + half]); }
    }
    return tree_root(t);
}

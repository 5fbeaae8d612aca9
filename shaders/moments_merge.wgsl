// Means and variances of slices, second stage: merges what moments.wgsl or moments_channels_last.wgsl found of their parts.
//   sums, m2s: [slices, members, parts]; every member has `count` values, a part `chunk` of them, the last part the rest
//   x: for the slice's first value, which lies at slice / groups * image_step + slice % groups * group_step
//   mean: [slices]      spread: [slices], by SPREAD 0: the biased variance v, 1: 1 / sqrt(v + eps), 2: 1 / (sqrt(v) + eps)
// One workgroup: one slice. One invocation: every 64th part; then a tree.

struct Params {
    slices: u32, members: u32, parts: u32, count: u32, chunk: u32,
    groups: u32, image_step: u32, group_step: u32, eps: f32,
}

// The element type of x.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> m2s: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<Stored>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> spread: array<f32>;

override SPREAD: u32 = 0u;

alias Value = f32;
var<workgroup> tree: array<Moments, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let slice = group_id(group, groups);
    if slice >= p.slices { return; }
    let all = p.members * p.parts;
    var m = NOTHING;
    for (var j = t; j < all; j += 64u) {
        let n = min(p.chunk, p.count - j % p.parts * p.chunk);
        m = merge(m, Moments(f32(n), sums[slice * all + j], m2s[slice * all + j]));
    }
    tree[t] = m;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] = merge(tree[t], tree[t + half]); }
    }
    if t > 0u { return; }
    let first = f32(x[slice / p.groups * p.image_step + slice % p.groups * p.group_step]);
    mean[slice] = first + tree[0].sum / tree[0].n;
    let v = tree[0].m2 / tree[0].n;
    switch SPREAD {
        case 1u: { spread[slice] = inverseSqrt(v + p.eps); }
        case 2u: { spread[slice] = 1.0 / (sqrt(v) + p.eps); }
        default: { spread[slice] = v; }
    }
}

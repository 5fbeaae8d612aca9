// Means and variances of slices, second stage: merges the results of moments.wgsl or moments_channels_last.wgsl for their parts.
//   sums, m2s: [slices / groups, chunks * lanes, pitch]; slice s has `members` of the pitch from s % groups * members on.
//   Each member has `count` values in chunks of `chunk` (the last one has the rest), with strips distributed over `lanes` parts
//   x: for the slice's first value, which lies at slice / groups * step + slice % groups * members
//   mean: [slices]      spread: [slices], by SPREAD the biased variance v, 1 / sqrt(v + eps), 1 / (sqrt(v) + eps)
// TEAM invocations: one slice, each every TEAM-th part; then a tree. A workgroup has WORKGROUP / TEAM slices.
// WORKGROUP: ops::normalization.

struct Params {
    slices: u32, groups: u32, members: u32, pitch: u32, lanes: u32, chunks: u32, count: u32, chunk: u32, step: u32, eps: f32,
}

@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> m2s: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<Stored>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> spread: array<f32>;

override SPREAD: u32 = SPREAD_VARIANCE;
const WORKGROUP = 64u;
// A power of two, at most WORKGROUP.
override TEAM: u32 = WORKGROUP;

var<workgroup> tree: array<Moments, WORKGROUP>;

// The number of values in a lane's part of the last chunk of a member; in other chunks it is chunk / lanes.
fn rest(lane: u32) -> u32 {
    let n = p.count - (p.chunks - 1u) * p.chunk;
    let round = STRIP * p.lanes;
    let skipped = lane * STRIP;
    return n / round * STRIP + min(max(n % round, skipped) - skipped, STRIP);
}

fn compute(group: u32, t: u32) {
    let slice = group * (WORKGROUP / TEAM) + t / TEAM;
    let own = t % TEAM;
    let parts = p.chunks * p.lanes;
    let whole = parts - p.lanes;
    let image = slice / p.groups;
    let first = (slice - image * p.groups) * p.members;
    let base = image * parts * p.pitch + first;
    var m = NOTHING;
    var j = select(p.members * parts, own, slice < p.slices);
    // Two loops, so that lanes do not compute the size of the last part for every chunk.
    for (; j < p.members * whole; j += TEAM) {
        let part = j / p.members;
        let i = base + part * p.pitch + j - part * p.members;
        m = merge(m, Moments(f32(p.chunk / p.lanes), sums[i], m2s[i]));
    }
    for (; j < p.members * parts; j += TEAM) {
        let part = j / p.members;
        let i = base + part * p.pitch + j - part * p.members;
        m = merge(m, Moments(f32(rest(part - whole)), sums[i], m2s[i]));
    }
    if TEAM > 1u {
        tree[t] = m;
        for (var half = TEAM / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if own < half { tree[t] = merge(tree[t], tree[t + half]); }
        }
        m = tree[t];
    }
    if own > 0u || slice >= p.slices { return; }
    let shift = f32(x[image * p.step + first]);
    mean[slice] = shift + m.sum / m.n;
    let v = m.m2 / m.n;
    switch SPREAD {
        case SPREAD_INVERSE: { spread[slice] = inverseSqrt(v + p.eps); }
        case SPREAD_INVERSE_OUTSIDE: { spread[slice] = 1.0 / (sqrt(v) + p.eps); }
        default: { spread[slice] = v; }
    }
}

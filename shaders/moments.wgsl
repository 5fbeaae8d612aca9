// Sums and squared distances of the slices of a tensor, first stage: one result for each part of each slice.
//   x: row-major, seen as [outer, slices, inner]; a slice has outer * inner = count values, a part of it `chunk`
//   sums, m2s: [slices, parts], of x - the slice's first value: the mean may be large against the deviation
// One workgroup: one part. One invocation: strips of four values, each 64 from the next; then a tree.

struct Params { slices: u32, inner: u32, count: u32, chunk: u32, parts: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> m2s: array<f32>;

alias Value = f32;
var<workgroup> tree: array<Moments, 64>;

fn value(slice: u32, k: u32) -> f32 {
    return x[(k / p.inner * p.slices + slice) * p.inner + k % p.inner];
}

// The values k, k + 64, k + 128, k + 192 of a slice, as far as they lie before `end`; k does.
fn strip(slice: u32, k: u32, end: u32) -> Moments {
    let shift = x[slice * p.inner];
    let last = end - 1u;
    return moments_of(
        min((last - k) / 64u + 1u, 4u),
        value(slice, k) - shift,
        value(slice, min(k + 64u, last)) - shift,
        value(slice, min(k + 128u, last)) - shift,
        value(slice, min(k + 192u, last)) - shift,
    );
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let part = group_id(group, groups);
    if part >= p.slices * p.parts { return; }
    let slice = part / p.parts;
    let first = part % p.parts * p.chunk;
    let end = min(first + p.chunk, p.count);
    var m = NOTHING;
    for (var k = first + t; k < end; k += 256u) { m = merge(m, strip(slice, k, end)); }
    tree[t] = m;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] = merge(tree[t], tree[t + half]); }
    }
    if t == 0u {
        sums[part] = tree[0].sum;
        m2s[part] = tree[0].m2;
    }
}

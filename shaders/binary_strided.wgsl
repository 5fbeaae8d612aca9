// y[k0, .., k7] = combine(a[sum k_j a_j], b[sum k_j b_j]); a stride is 0 along a broadcast axis.
//   a, b, y: 4-byte elements, see shared/strided.wgsl
// One invocation: one output. The simplest kernel, for any broadcast.

@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

fn compute(i: u32) {
    if i >= p.count { return; }
    let at = elements(i);
    y[i] = combine(a[at.x], b[at.y]);
}

// y[k0, .., k7] = cond[sum k_j a_j] ? a[sum k_j b_j] : b[sum k_j c_j]; a stride is 0 along a broadcast axis.
//   cond: 0 or 1   a, b, y: 4-byte elements, see shared/strided.wgsl
// One invocation: one output.

@group(0) @binding(1) var<storage, read> cond: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;

fn compute(i: u32) {
    if i >= p.count { return; }
    let at = elements(i);
    if cond[at.x] != 0u { y[i] = a[at.y]; } else { y[i] = b[at.z]; }
}

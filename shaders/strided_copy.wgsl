// y[k0, .., k7] = x[offset + sum k_j a_j]: permute, expand, slice, tile.
//   x, y: 4-byte elements, see shared/strided.wgsl
// One invocation: one output; neighbouring invocations write neighbouring elements.

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn compute(i: u32) {
    if i >= p.count { return; }
    y[i] = x[p.offset + elements(i).x];
}

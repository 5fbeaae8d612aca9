// y[outer, k, inner] = x[outer, indices[k], inner]; a negative index counts from the end.
//   x: row-major [outer, extent, inner]   indices: picks of i32   y: row-major [outer, picks, inner]; 4-byte elements
// One invocation: one output. An index outside the axis is clamped; the reference refuses it.

struct Params { count: u32, extent: u32, picks: u32, inner: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

fn compute(i: u32) {
    if i >= p.count { return; }
    let inner = i % p.inner;
    let index = indices[i / p.inner % p.picks];
    let outer = i / p.inner / p.picks;
    let extent = i32(p.extent);
    let at = u32(clamp(select(index, index + extent, index < 0), 0, extent - 1));
    y[i] = x[(outer * p.extent + at) * p.inner + inner];
}

// taken[plane, indices[plane, k]] = the largest k + 1: of several values for a place the last one has it, whichever comes first
//   indices: row-major [planes, values] of i32   taken: [planes, size]
// One invocation: one index. One outside the plane has no place; the reference refuses it.

struct Params { count: u32, values: u32, size: u32 }

@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> taken: array<atomic<u32>>;

fn compute(i: u32) {
    if i >= p.count { return; }
    let at = indices[i];
    if (at < 0) | (at >= i32(p.size)) { return; }
    atomicMax(&taken[i / p.values * p.size + u32(at)], i % p.values + 1u);
}

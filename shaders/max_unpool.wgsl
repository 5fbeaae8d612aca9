// y[plane, o] = x[plane, k] where taken[plane, o] is k + 1; 0 where it is 0
//   x: row-major [planes, values]   taken, y: [planes, size]; elements by their bits
// One invocation: one output.

struct Params { count: u32, values: u32, size: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> taken: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

fn compute(i: u32) {
    if i >= p.count { return; }
    let k = taken[i];
    let at = i / p.size * p.values + max(k, 1u) - 1u;
    y[i] = select(x[at], 0u, k == 0u);
}

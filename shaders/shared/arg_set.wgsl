
// --- shared/arg_set.wgsl ---
// Sets of values along an axis, and the best value of one.
//   x: 4-byte elements by their bits; row-major, seen as [outer, n, inner]   y: row-major [outer, inner]

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<i32>;

struct Best { value: u32, at: u32 }

// The better of `best` and value k of the set that begins at `first`.
fn better(best: Best, first: u32, k: u32) -> Best {
    let v = x[first + k * p.inner];
    if precedes(v, k, best.value, best.at) { return Best(v, k); }
    return best;
}


// --- shared/pool_bin.wgsl ---
// Bins of an adaptive pooling, and their mean or, with MAX, their maximum.

// n images of c channels; row-major kernels see a plane as an image of one channel. empty: the initial value, 0, or -inf for the
// maximum.
struct Params { n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, empty: f32 }

override MAX: bool = false;

// Bin o of an axis: its first element and how many it has.
fn bin(o: u32, bins: u32, extent: u32) -> vec2<u32> {
    let first = o * extent / bins;
    return vec2<u32>(first, ((o + 1u) * extent + bins - 1u) / bins - first);
}

fn pool_combine(a: Value, b: Value) -> Value {
    if MAX { return maximum(a, b); }
    return a + b;
}

fn pool_finish(v: Value, taps: u32) -> Value {
    if MAX { return v; }
    return v / Value(f32(taps));
}

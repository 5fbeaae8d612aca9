// Sums and squared deviations of the slices of a tensor, first stage: one result per part of each slice.
//   x: row-major, seen as [outer, slices, inner]; a slice has outer * inner = count values; the strips of each chunk
//   of `chunk` values are distributed over `lanes` parts
//   sums, m2s: [slices, chunks * lanes], of x - the slice's first value, since the mean may be much larger than the deviation
// One invocation: one part. With WHOLE, inner is a multiple of 4, and a strip is one vec4.

struct Params { slices: u32, inner: u32, count: u32, lanes: u32, chunk: u32, chunks: u32, zero: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> m2s: array<f32>;

override WHOLE: bool = false;

// The index of value k of a slice.
fn place(slice: u32, k: u32) -> u32 {
    let outer = k / p.inner;
    return (outer * p.slices + slice) * p.inner + k - outer * p.inner;
}

fn value(i: u32) -> f32 {
    return x[i / 4u][i % 4u];
}

// The n values of a slice from k on, 1 to STRIP; beyond them the last one again. Not one by one in a loop: FXC refuses stores
// into a component that is known at run time only, in a loop that it cannot unroll (X3511).
fn strip(slice: u32, k: u32, n: u32) -> vec4<f32> {
    if WHOLE { return x[place(slice, k) / 4u]; }
    let last = n - 1u;
    return vec4<f32>(
        value(place(slice, k)),
        value(place(slice, k + min(last, 1u))),
        value(place(slice, k + min(last, 2u))),
        value(place(slice, k + min(last, 3u))),
    );
}

fn compute(i: u32) {
    let parts = p.chunks * p.lanes;
    let slice = i / parts;
    if slice >= p.slices { return; }
    let part = i - slice * parts;
    let first = part / p.lanes * p.chunk;
    let end = min(first + p.chunk, p.count);
    let shift = value(slice * p.inner);
    var m = NOTHING;
    for (var k = first + part % p.lanes * STRIP; k < end; k += STRIP * p.lanes) {
        let n = select(min(end - k, STRIP), STRIP, WHOLE);
        let v = strip(slice, k, n);
        let d = vec4<f32>(apart(v.x, shift, p.zero), apart(v.y, shift, p.zero), apart(v.z, shift, p.zero), apart(v.w, shift, p.zero));
        m = merge(m, moments_of(n, d.x, d.y, d.z, d.w));
    }
    sums[i] = m.sum;
    m2s[i] = m.m2;
}

// Sums and squared deviations of the channels of a tensor, first stage: one result per part of the pixels of each channel.
//   x: channels-last [images, pixels, c4] of vec4, the strips of each chunk of `chunk` pixels are distributed over `lanes` parts
//   sums, m2s: [images, chunks * lanes, c4] of vec4, of x - the first value of the channel's group (`members` channels share one)
// One invocation: one vec4 of channels of one part; neighbouring invocations take neighbouring channels.

struct Params { images: u32, pixels: u32, c: u32, members: u32, lanes: u32, chunk: u32, chunks: u32, zero: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m2s: array<vec4<f32>>;

fn first_value(image: u32, c4: u32, channel: u32) -> f32 {
    let c = min(channel, p.c - 1u) / p.members * p.members;
    return vec4<f32>(x[image * p.pixels * c4 + c / 4u])[c % 4u];
}

// The moments of n pixels of a block, 1 to STRIP, relative to shift; x holds the first at `at`.
fn strip(n: u32, at: u32, c4: u32, shift: vec4<f32>) -> Moments {
    return moments_of(
        n,
        apart(vec4<f32>(x[at]), shift, p.zero),
        apart(vec4<f32>(x[at + min(n - 1u, 1u) * c4]), shift, p.zero),
        apart(vec4<f32>(x[at + min(n - 1u, 2u) * c4]), shift, p.zero),
        apart(vec4<f32>(x[at + min(n - 1u, 3u) * c4]), shift, p.zero),
    );
}

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    let parts = p.chunks * p.lanes;
    let job = i / c4;
    let block = i - job * c4;
    let image = job / parts;
    if image >= p.images { return; }
    let part = job - image * parts;
    let first = part / p.lanes * p.chunk;
    let end = min(first + p.chunk, p.pixels);
    let c = block * 4u;
    let shift = vec4<f32>(
        first_value(image, c4, c), first_value(image, c4, c + 1u), first_value(image, c4, c + 2u), first_value(image, c4, c + 3u)
    );
    let base = image * p.pixels * c4 + block;
    var m = NOTHING;
    var k = first + part % p.lanes * STRIP;
    for (; k + STRIP <= end; k += STRIP * p.lanes) {
        m = merge(m, strip(STRIP, base + k * c4, c4, shift));
    }
    if k < end { m = merge(m, strip(end - k, base + k * c4, c4, shift)); }
    sums[i] = m.sum;
    m2s[i] = m.m2;
}

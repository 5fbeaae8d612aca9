// y[n, hw, c] = x[n, c, hw], rounded where y is f16; padding lanes of c hold 0.
//   x: row-major [n, c, hw]                y: channels-last [n, hw, c4] of vec4
// One invocation: one vec4 of y; neighbouring invocations take neighbouring hw, so that the four loads coalesce.

struct Params { n: u32, c: u32, hw: u32 }

@group(0) @binding(1) var<storage, read> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

// Element hw of channel c of image n, 0 beyond the last channel.
fn load(n: u32, c: u32, hw: u32) -> Wide {
    if c >= p.c { return Wide(); }
    return x[(n * p.c + c) * p.hw + hw];
}

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    if i >= p.n * c4 * p.hw { return; }
    let hw = i % p.hw;
    let cb = (i / p.hw) % c4;
    let n = i / (p.hw * c4);
    let c = cb * 4u;
    let v = vec4<Wide>(load(n, c, hw), load(n, c + 1u, hw), load(n, c + 2u, hw), load(n, c + 3u, hw));
    y[(n * p.hw + hw) * c4 + cb] = vec4<Stored>(v);
}

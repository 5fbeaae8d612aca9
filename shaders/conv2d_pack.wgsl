// Weights for the channels-last convolutions: wp[tap, ic block, oc block] is a 4x4 block whose column j holds the four
// output channels of input channel j of the group. Channels beyond the last are 0, so that padding lanes of x meet zeros.
//   w: row-major [oc, icg, taps], or TRANSPOSED [groups icg, ocg, taps] with oc = groups ocg
//   wp: [taps, icg4, oc4] of mat4x4
// One invocation: one column of a block.

struct Params { oc: u32, icg: u32, ocg: u32, taps: u32 }

@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> wp: array<vec4<Stored>>;

override TRANSPOSED: bool = false;

// The index in w of a tap.
fn index(oc: u32, ic: u32, tap: u32) -> u32 {
    if TRANSPOSED { return ((oc / p.ocg * p.icg + ic) * p.ocg + oc % p.ocg) * p.taps + tap; }
    return (oc * p.icg + ic) * p.taps + tap;
}

// The weight of output channel oc for input channel ic of its group, 0 beyond the last of either.
fn weight(oc: u32, ic: u32, tap: u32) -> f32 {
    if oc >= p.oc || ic >= p.icg { return 0.0; }
    return w[index(oc, ic, tap)];
}

fn compute(i: u32) {
    let oc4 = (p.oc + 3u) / 4u;
    let icg4 = (p.icg + 3u) / 4u;
    if i >= p.taps * icg4 * oc4 * 4u { return; }
    let oc = (i / 4u) % oc4 * 4u;
    let ic = (i / 4u / oc4) % icg4 * 4u + i % 4u;
    let tap = i / 4u / oc4 / icg4;
    let v = vec4<f32>(weight(oc, ic, tap), weight(oc + 1u, ic, tap), weight(oc + 2u, ic, tap), weight(oc + 3u, ic, tap));
    wp[i] = vec4<Stored>(v);
}

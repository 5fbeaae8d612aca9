// Winograd's weight transform: U = G g G^T of every 3x3 filter g (Lavin and Gray 2015; points as in src/reference/winograd.rs).
//   w: row-major [oc, ic, 3, 3]   matrices: [36, ic4, oc4] of mat4x4 as in conv2d_pack.wgsl, matrix 6 i + j for element (i, j) of U
// One invocation: one column of the 36 blocks, that is one input channel and four output channels.

struct Params { oc: u32, ic: u32, size: u32 }

@group(0) @binding(1) var<storage, read> w: array<f32>;

const SQRT2: f32 = 1.4142135623730951;

// G (g0, g1, g2). A term is rounded 4 times at most, the constant included.
fn transform(g0: vec4<f32>, g1: vec4<f32>, g2: vec4<f32>) -> Six {
    let even = (2.0 * g0 + g2) * (1.0 / 3.0);
    let odd = g1 * (SQRT2 / 3.0);
    let even2 = (0.5 * g0 + g2) * (1.0 / 3.0);
    let odd2 = g1 * (SQRT2 / 6.0);
    return Six(g0, -even - odd, odd - even, even2 + odd2, even2 - odd2, g2);
}

// One tap of input channel `ic`, four output channels.
fn load(ob: u32, ic: u32, tap: u32) -> vec4<f32> {
    var v = vec4<f32>(0.0);
    for (var oc = ob * 4u; oc < ob * 4u + p.size - 2u; oc++) {
        v = vec4<f32>(v.yzw, 0.0);
        if oc < p.oc && ic < p.ic { v.w = w[(oc * p.ic + ic) * 9u + tap]; }
    }
    return v;
}

fn column(ob: u32, ic: u32, kx: u32) -> Six {
    var g0: vec4<f32>; var g1: vec4<f32>; var g2: vec4<f32>;
    for (var tap = kx; tap < 9u; tap += p.size / 2u) {
        g0 = g1; g1 = g2; g2 = load(ob, ic, tap);
    }
    return transform(g0, g1, g2);
}

fn compute(i: u32) {
    let oc4 = (p.oc + 3u) / 4u;
    let stride = (p.ic + 3u) / 4u * oc4 * 4u;
    if i >= stride { return; }
    let ob = i / 4u % oc4;
    let ic = i / 4u / oc4 * 4u + i % 4u;
    // The loop bound is a param (6), so that the loops are not unrolled: every load and store in the text costs compile time.
    var x: Six; var y: Six; var z: Six;
    for (var k = 0u; k < p.size - 3u; k++) {
        x = y; y = z; z = column(ob, ic, k);
    }
    for (var k = 0u; k < p.size; k++) {
        store_row(i, k, transform(x.a, y.a, z.a), stride);
        x = next(x); y = next(y); z = next(z);
    }
}

// Transposed convolution by phases (shared/phases.wgsl): each is an implicit matrix product, its rows the phase's pixels, its
// columns output channels, its inner dimension the phase's taps and input channels. Formula as in conv_transpose2d_direct.wgsl.
//   x: channels-last [n, ih, iw, ic4] of vec4    w: packed by conv_transpose2d_pack.wgsl, [tap, ic4 of a group, oc4] of 4x4 blocks
//   y, residual: channels-last [n, oh, ow, oc4] of vec4
// One invocation: 8 consecutive pixels of one phase x 1 or 2 blocks of 4 channels, held in registers.
// Compared with the direct kernel: vec4 loads, each x value used 4 or 8 times and each weight 8 times; a tap that meets no input
// is skipped once for all of them.

struct Params {
    n: u32, ih: u32, iw: u32, ic4: u32, icg4: u32,
    oh: u32, ow: u32, oc4: u32, ocg4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

// Two blocks of channels per invocation (both of one group), or one.
override PAIR: bool = true;

fn load(index: u32, c: u32) -> vec4<f32> {
    if index == 0xffffffffu { return vec4<f32>(0.0); }
    return vec4<f32>(x[index + c]);
}

fn store(q: u32, fy: u32, fx: u32, ob: u32, a: vec4<f32>, b: vec4<f32>) {
    let pixel = output_of(q, fy, fx);
    if pixel == 0xffffffffu { return; }
    let i = pixel * p.oc4 + ob;
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(a, ob, i));
    if PAIR && ob + 1u < p.oc4 { y[y_at(pixel, ob + 1u)] = vec4<Stored>(finish4(b, ob + 1u, i + 1u)); }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let columns = select(p.oc4, (p.oc4 + 1u) / 2u, PAIR);
    let tiles = (phase_pixels() + 7u) / 8u;
    let ob = i % columns * select(1u, 2u, PAIR);
    let q = i / columns % tiles * 8u;
    let fx = i / columns / tiles % p.sx;
    let fy = i / columns / tiles / p.sx;
    if fy >= p.sy { return; }
    let second = min(ob + 1u, p.oc4 - 1u);
    let first_c = ob / p.ocg4 * p.icg4;
    let o0 = pixel_of(q); let o1 = pixel_of(q + 1u); let o2 = pixel_of(q + 2u); let o3 = pixel_of(q + 3u);
    let o4 = pixel_of(q + 4u); let o5 = pixel_of(q + 5u); let o6 = pixel_of(q + 6u); let o7 = pixel_of(q + 7u);
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0; var b4 = a0; var b5 = a0; var b6 = a0; var b7 = a0;
    for (var ky = 0u; ky < p.kh; ky++) {
        let ty = step(fy, p.py, ky * p.dy, p.sy);
        if !ty.meets { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let tx = step(fx, p.px, kx * p.dx, p.sx);
            if !tx.meets { continue; }
            let i0 = tap(o0, ty.by, tx.by, first_c); let i1 = tap(o1, ty.by, tx.by, first_c);
            let i2 = tap(o2, ty.by, tx.by, first_c); let i3 = tap(o3, ty.by, tx.by, first_c);
            let i4 = tap(o4, ty.by, tx.by, first_c); let i5 = tap(o5, ty.by, tx.by, first_c);
            let i6 = tap(o6, ty.by, tx.by, first_c); let i7 = tap(o7, ty.by, tx.by, first_c);
            let row = (ky * p.kw + kx) * p.icg4 * p.oc4;
            for (var c = 0u; c < p.icg4; c++) {
                let x0 = load(i0, c); let x1 = load(i1, c);
                let x2 = load(i2, c); let x3 = load(i3, c);
                let x4 = load(i4, c); let x5 = load(i5, c);
                let x6 = load(i6, c); let x7 = load(i7, c);
                let wa = mat4x4<f32>(w[row + c * p.oc4 + ob]);
                a0 += wa * x0; a1 += wa * x1; a2 += wa * x2; a3 += wa * x3;
                a4 += wa * x4; a5 += wa * x5; a6 += wa * x6; a7 += wa * x7;
                if PAIR {
                    let wb = mat4x4<f32>(w[row + c * p.oc4 + second]);
                    b0 += wb * x0; b1 += wb * x1; b2 += wb * x2; b3 += wb * x3;
                    b4 += wb * x4; b5 += wb * x5; b6 += wb * x6; b7 += wb * x7;
                }
            }
        }
    }
    // A loop, since every store in the text costs compile time.
    for (var at = q; at < min(q + 8u, phase_pixels()); at++) {
        store(at, fy, fx, ob, a0, b0);
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7;
        b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7;
    }
}

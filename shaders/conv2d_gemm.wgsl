// Convolution as an implicit matrix product: rows are output pixels, columns output channels, the inner dimension runs
// over taps and input channels. Formula as in conv2d_direct.wgsl.
//   x: channels-last [n, ih, iw, ic4] of vec4       w: packed by conv2d_pack.wgsl, [tap, ic4 of a group, oc4] of 4x4 blocks
//   y, residual: channels-last [n, oh, ow, oc4] of vec4
// One invocation: 8 consecutive pixels x 1 or 2 blocks of 4 channels, held in registers.
// Compared with the direct kernel: vec4 loads, each x value used 4 or 8 times and each weight 8 times; one border test per
// 4 channels.

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

// The start of a pixel's window: image row and column (wrapping below 0), and the image.
struct Origin { iy: u32, ix: u32, n: u32 }

fn origin(pixel: u32) -> Origin {
    let q = min(pixel, p.n * p.oh * p.ow - 1u);
    return Origin((q / p.ow) % p.oh * p.sy - p.py, q % p.ow * p.sx - p.px, q / (p.ow * p.oh));
}

// The index of the window's tap in x, or 0xffffffff outside the image.
fn tap_index(o: Origin, ky: u32, kx: u32) -> u32 {
    let iy = o.iy + ky * p.dy;
    let ix = o.ix + kx * p.dx;
    return select(0xffffffffu, ((o.n * p.ih + iy) * p.iw + ix) * p.ic4, iy < p.ih && ix < p.iw);
}

fn load(index: u32, c: u32) -> vec4<f32> {
    if index == 0xffffffffu { return vec4<f32>(0.0); }
    return vec4<f32>(x[index + c]);
}

fn store(pixel: u32, ob: u32, a: vec4<f32>, b: vec4<f32>) {
    let i = pixel * p.oc4 + ob;
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(a, ob, i));
    if PAIR && ob + 1u < p.oc4 { y[y_at(pixel, ob + 1u)] = vec4<Stored>(finish4(b, ob + 1u, i + 1u)); }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let columns = select(p.oc4, (p.oc4 + 1u) / 2u, PAIR);
    let ob = i % columns * select(1u, 2u, PAIR);
    let pixel = i / columns * 8u;
    if pixel >= p.n * p.oh * p.ow { return; }
    let second = min(ob + 1u, p.oc4 - 1u);
    let first_c = ob / p.ocg4 * p.icg4;
    let o0 = origin(pixel); let o1 = origin(pixel + 1u); let o2 = origin(pixel + 2u); let o3 = origin(pixel + 3u);
    let o4 = origin(pixel + 4u); let o5 = origin(pixel + 5u); let o6 = origin(pixel + 6u); let o7 = origin(pixel + 7u);
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0; var a4 = a0; var a5 = a0; var a6 = a0; var a7 = a0;
    var b0 = a0; var b1 = a0; var b2 = a0; var b3 = a0; var b4 = a0; var b5 = a0; var b6 = a0; var b7 = a0;
    for (var ky = 0u; ky < p.kh; ky++) {
        for (var kx = 0u; kx < p.kw; kx++) {
            let i0 = tap_index(o0, ky, kx); let i1 = tap_index(o1, ky, kx);
            let i2 = tap_index(o2, ky, kx); let i3 = tap_index(o3, ky, kx);
            let i4 = tap_index(o4, ky, kx); let i5 = tap_index(o5, ky, kx);
            let i6 = tap_index(o6, ky, kx); let i7 = tap_index(o7, ky, kx);
            let row = (ky * p.kw + kx) * p.icg4 * p.oc4;
            for (var c = 0u; c < p.icg4; c++) {
                let x0 = load(i0, first_c + c); let x1 = load(i1, first_c + c);
                let x2 = load(i2, first_c + c); let x3 = load(i3, first_c + c);
                let x4 = load(i4, first_c + c); let x5 = load(i5, first_c + c);
                let x6 = load(i6, first_c + c); let x7 = load(i7, first_c + c);
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
    for (var at = pixel; at < min(pixel + 8u, p.n * p.oh * p.ow); at++) {
        store(at, ob, a0, b0);
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7;
        b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7;
    }
}

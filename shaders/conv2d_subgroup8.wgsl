// Convolution as an implicit matrix product for subgroups of 8 (software adapters whose lanes are SIMD lanes).
// Formula and operands as in conv2d_gemm.wgsl.
// One subgroup: PIXELS = 16 or 32 consecutive pixels x 8 blocks of 4 channels; lane l holds block l of every pixel. Each lane
// loads the inputs of pixels l, l + 8, .. and the subgroup passes them round: no value is loaded twice in a subgroup.
// Over conv2d_gemm: a load costs one lane's time instead of eight, and x is loaded by 1/8 of the lanes that use it.

struct Params {
    n: u32, ih: u32, iw: u32, ic4: u32, icg4: u32,
    oh: u32, ow: u32, oc: u32, oc4: u32, ocg4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    slopes: u32, act_a: f32, act_b: f32, y_pitch: u32, y_first: u32,
}

// The element type of x, y, the residual and the packed weights.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<Stored>>;
@group(0) @binding(5) var<storage, read> slope: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<Stored>>;

// 32 pixels a subgroup instead of 16.
override WIDE: bool = true;

// Where a pixel's window starts: image row and column (wrapping below 0), and the image.
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
    return select(vec4<f32>(0.0), vec4<f32>(x[select(index + c, 0u, index == 0xffffffffu)]), index != 0xffffffffu);
}

fn store(pixel: u32, ob: u32, v: vec4<f32>) {
    if pixel >= p.n * p.oh * p.ow || ob >= p.oc4 { return; }
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(v, ob, pixel * p.oc4 + ob));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let columns = (p.oc4 + 7u) / 8u;
    let g = group.x + group.y * groups.x;
    let ob = g % columns * 8u + lane;
    let pixel = g / columns * select(16u, 32u, WIDE);
    if pixel >= p.n * p.oh * p.ow { return; }
    let column = min(ob, p.oc4 - 1u);
    let first_c = g % columns * 8u / p.ocg4 * p.icg4;
    let o0 = origin(pixel + lane); let o1 = origin(pixel + 8u + lane);
    let o2 = origin(pixel + 16u + lane); let o3 = origin(pixel + 24u + lane);
    var c0 = vec4<f32>(0.0); var c1 = c0; var c2 = c0; var c3 = c0; var c4 = c0; var c5 = c0; var c6 = c0; var c7 = c0;
    var d0 = c0; var d1 = c0; var d2 = c0; var d3 = c0; var d4 = c0; var d5 = c0; var d6 = c0; var d7 = c0;
    var e0 = c0; var e1 = c0; var e2 = c0; var e3 = c0; var e4 = c0; var e5 = c0; var e6 = c0; var e7 = c0;
    var f0 = c0; var f1 = c0; var f2 = c0; var f3 = c0; var f4 = c0; var f5 = c0; var f6 = c0; var f7 = c0;
    for (var ky = 0u; ky < p.kh; ky++) {
        for (var kx = 0u; kx < p.kw; kx++) {
            let i0 = tap_index(o0, ky, kx); let i1 = tap_index(o1, ky, kx);
            let i2 = tap_index(o2, ky, kx); let i3 = tap_index(o3, ky, kx);
            let row = (ky * p.kw + kx) * p.icg4 * p.oc4 + column;
            for (var c = 0u; c < p.icg4; c++) {
                let m = mat4x4<f32>(w[row + c * p.oc4]);
                let x0 = load(i0, first_c + c);
                c0 += m * subgroupBroadcast(x0, 0u); c1 += m * subgroupBroadcast(x0, 1u);
                c2 += m * subgroupBroadcast(x0, 2u); c3 += m * subgroupBroadcast(x0, 3u);
                c4 += m * subgroupBroadcast(x0, 4u); c5 += m * subgroupBroadcast(x0, 5u);
                c6 += m * subgroupBroadcast(x0, 6u); c7 += m * subgroupBroadcast(x0, 7u);
                let x1 = load(i1, first_c + c);
                d0 += m * subgroupBroadcast(x1, 0u); d1 += m * subgroupBroadcast(x1, 1u);
                d2 += m * subgroupBroadcast(x1, 2u); d3 += m * subgroupBroadcast(x1, 3u);
                d4 += m * subgroupBroadcast(x1, 4u); d5 += m * subgroupBroadcast(x1, 5u);
                d6 += m * subgroupBroadcast(x1, 6u); d7 += m * subgroupBroadcast(x1, 7u);
                if WIDE {
                    let x2 = load(i2, first_c + c);
                    e0 += m * subgroupBroadcast(x2, 0u); e1 += m * subgroupBroadcast(x2, 1u);
                    e2 += m * subgroupBroadcast(x2, 2u); e3 += m * subgroupBroadcast(x2, 3u);
                    e4 += m * subgroupBroadcast(x2, 4u); e5 += m * subgroupBroadcast(x2, 5u);
                    e6 += m * subgroupBroadcast(x2, 6u); e7 += m * subgroupBroadcast(x2, 7u);
                    let x3 = load(i3, first_c + c);
                    f0 += m * subgroupBroadcast(x3, 0u); f1 += m * subgroupBroadcast(x3, 1u);
                    f2 += m * subgroupBroadcast(x3, 2u); f3 += m * subgroupBroadcast(x3, 3u);
                    f4 += m * subgroupBroadcast(x3, 4u); f5 += m * subgroupBroadcast(x3, 5u);
                    f6 += m * subgroupBroadcast(x3, 6u); f7 += m * subgroupBroadcast(x3, 7u);
                }
            }
        }
    }
    // A loop, since every store in the text costs compiling time.
    for (var at = pixel; at < min(pixel + select(16u, 32u, WIDE), p.n * p.oh * p.ow); at += 8u) {
        store(at, ob, c0); store(at + 1u, ob, c1); store(at + 2u, ob, c2); store(at + 3u, ob, c3);
        store(at + 4u, ob, c4); store(at + 5u, ob, c5); store(at + 6u, ob, c6); store(at + 7u, ob, c7);
        c0 = d0; c1 = d1; c2 = d2; c3 = d3; c4 = d4; c5 = d5; c6 = d6; c7 = d7;
        d0 = e0; d1 = e1; d2 = e2; d3 = e3; d4 = e4; d5 = e5; d6 = e6; d7 = e7;
        e0 = f0; e1 = f1; e2 = f2; e3 = f3; e4 = f4; e5 = f5; e6 = f6; e7 = f7;
    }
}

// Convolution as an implicit matrix product for subgroups of 8 (software adapters whose lanes are SIMD lanes).
// Formula and operands as in conv2d_gemm.wgsl.
// One subgroup: ROWS = 8, 16 or 32 pixels x 8 lanes x 1 or 2 (PAIR) blocks of 4 channels of one group, 8 blocks apart; see
// common/rows8.wgsl. Neighbours take neighbouring pixels, so that their weights stay in the cache.
// Over conv2d_gemm: a load costs one lane's time instead of eight, and no value of a tap is loaded twice in a subgroup.

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

override ROWS: u32 = 32;
override PAIR: bool = true;

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

fn store_rows(pixel: u32, ob: u32, c: Rows8) {
    store(pixel, ob, c.low[0]); store(pixel + 1u, ob, c.low[1]);
    store(pixel + 2u, ob, c.low[2]); store(pixel + 3u, ob, c.low[3]);
    store(pixel + 4u, ob, c.high[0]); store(pixel + 5u, ob, c.high[1]);
    store(pixel + 6u, ob, c.high[2]); store(pixel + 7u, ob, c.high[3]);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let width = select(8u, 16u, PAIR);
    let pixels = p.n * p.oh * p.ow;
    let bands = (pixels + ROWS - 1u) / ROWS;
    let g = group_id(group, groups);
    let first = g / bands * width;
    if first >= p.oc4 { return; }
    let pixel = g % bands * ROWS;
    let ob = first + lane;
    let column = min(ob, p.oc4 - 1u);
    let second = min(ob + 8u, p.oc4 - 1u);
    let first_c = first / p.ocg4 * p.icg4;
    let o0 = origin(pixel + lane); let o1 = origin(pixel + 8u + lane);
    let o2 = origin(pixel + 16u + lane); let o3 = origin(pixel + 24u + lane);
    var u0 = Rows8(); var u1 = Rows8(); var u2 = Rows8(); var u3 = Rows8();
    var v0 = Rows8(); var v1 = Rows8(); var v2 = Rows8(); var v3 = Rows8();
    for (var ky = 0u; ky < p.kh; ky++) {
        for (var kx = 0u; kx < p.kw; kx++) {
            let i0 = tap_index(o0, ky, kx); let i1 = tap_index(o1, ky, kx);
            let i2 = tap_index(o2, ky, kx); let i3 = tap_index(o3, ky, kx);
            let row = (ky * p.kw + kx) * p.icg4 * p.oc4;
            for (var c = 0u; c < p.icg4; c++) {
                let wu = mat4x4<f32>(w[row + c * p.oc4 + column]);
                var wv = wu;
                if PAIR { wv = mat4x4<f32>(w[row + c * p.oc4 + second]); }
                let x0 = load(i0, first_c + c);
                add_rows8(&u0, wu, x0);
                if PAIR { add_rows8(&v0, wv, x0); }
                if ROWS > 8u {
                    let x1 = load(i1, first_c + c);
                    add_rows8(&u1, wu, x1);
                    if PAIR { add_rows8(&v1, wv, x1); }
                }
                if ROWS > 16u {
                    let x2 = load(i2, first_c + c);
                    add_rows8(&u2, wu, x2);
                    if PAIR { add_rows8(&v2, wv, x2); }
                    let x3 = load(i3, first_c + c);
                    add_rows8(&u3, wu, x3);
                    if PAIR { add_rows8(&v3, wv, x3); }
                }
            }
        }
    }
    // Loops, since every store in the text costs compiling time.
    for (var block = ob; block < ob + width; block += 8u) {
        for (var at = pixel; at < min(pixel + ROWS, pixels); at += 8u) {
            store_rows(at, block, u0);
            u0 = u1; u1 = u2; u2 = u3;
        }
        u0 = v0; u1 = v1; u2 = v2; u3 = v3;
    }
}

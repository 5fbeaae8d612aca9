// Convolution as an implicit matrix product for subgroups of 8 (software adapters whose lanes are SIMD lanes).
// Formula and operands as in conv2d_gemm.wgsl.
// One subgroup: a tile of shared/rows8.wgsl, its rows consecutive pixels; every tap adds its part of the inner dimension.
// Compared with conv2d_gemm: a load costs one lane's time instead of eight, and x is loaded by 1/8 of the lanes that use it.

struct Params {
    n: u32, ih: u32, iw: u32, ic4: u32, icg4: u32,
    oh: u32, ow: u32, oc4: u32, ocg4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

// The start of a pixel's window: image row and column (wrapping below 0), and the image.
struct Origin { iy: u32, ix: u32, n: u32 }

fn origin(pixel: u32) -> Origin {
    let q = min(pixel, p.n * p.oh * p.ow - 1u);
    let row = q / p.ow;
    let n = row / p.oh;
    return Origin((row - n * p.oh) * p.sy - p.py, (q - row * p.ow) * p.sx - p.px, n);
}

// The index in x of the group's first channel under the window's tap, or 0xffffffff outside the image.
fn tap(o: Origin, ky: u32, kx: u32, first_c: u32) -> u32 {
    let iy = o.iy + ky * p.dy;
    let ix = o.ix + kx * p.dx;
    return select(0xffffffffu, ((o.n * p.ih + iy) * p.iw + ix) * p.ic4 + first_c, iy < p.ih && ix < p.iw);
}

fn store(unused: u32, pixel: u32, ob: u32, v: vec4<f32>) {
    if ob >= p.oc4 { return; }
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(v, ob, pixel * p.oc4 + ob));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let pixels = p.n * p.oh * p.ow;
    let at = place(group_id(group, groups), pixels, p.oc4, lane);
    if at.matrix > 0u { return; }
    let first_c = (at.column - lane) / p.ocg4 * p.icg4;
    let pixel = at.row + lane;
    let o0 = origin(pixel); let o1 = origin(pixel + 8u); let o2 = origin(pixel + 16u); let o3 = origin(pixel + 24u);
    var t = Tile();
    for (var ky = 0u; ky < p.kh; ky++) {
        for (var kx = 0u; kx < p.kw; kx++) {
            let rows = vec4<u32>(tap(o0, ky, kx, first_c), tap(o1, ky, kx, first_c), tap(o2, ky, kx, first_c), tap(o3, ky, kx, first_c));
            multiply(&t, (ky * p.kw + kx) * p.icg4 * p.oc4, rows, p.icg4, at.column);
        }
    }
    store_tile(&t, 0u, at.row, pixels, at.column);
}

// Transposed convolution for subgroups of 8 (software adapters whose lanes are SIMD lanes). Operands as in
// conv_transpose2d_gemm.wgsl.
// One subgroup: a tile of shared/rows8.wgsl in a phase, its rows the phase's pixels; every tap adds its part of the inner dimension.
// Compared with conv_transpose2d_gemm: no value is loaded twice in a subgroup.

struct Params {
    n: u32, ih: u32, iw: u32, ic4: u32, icg4: u32,
    oh: u32, ow: u32, oc4: u32, ocg4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

fn store(phase: u32, q: u32, ob: u32, v: vec4<f32>) {
    let fy = phase / p.sx;
    let pixel = output_of(q, fy, phase - fy * p.sx);
    if pixel == 0xffffffffu || ob >= p.oc4 { return; }
    y[y_at(pixel, ob)] = vec4<Stored>(finish4(v, ob, pixel * p.oc4 + ob));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let at = place(group_id(group, groups), phase_pixels(), p.oc4, lane);
    let phase = at.matrix;
    if phase >= p.sy * p.sx { return; }
    let fy = phase / p.sx;
    let fx = phase - fy * p.sx;
    let first_c = (at.column - lane) / p.ocg4 * p.icg4;
    let q = at.row + lane;
    let o0 = pixel_of(q); let o1 = pixel_of(q + 8u); let o2 = pixel_of(q + 16u); let o3 = pixel_of(q + 24u);
    var t = Tile();
    for (var ky = 0u; ky < p.kh; ky++) {
        let ty = step(fy, p.py, ky * p.dy, p.sy);
        if !ty.meets { continue; }
        for (var kx = 0u; kx < p.kw; kx++) {
            let tx = step(fx, p.px, kx * p.dx, p.sx);
            if !tx.meets { continue; }
            let rows = vec4<u32>(tap(o0, ty.by, tx.by, first_c), tap(o1, ty.by, tx.by, first_c), tap(o2, ty.by, tx.by, first_c), tap(o3, ty.by, tx.by, first_c));
            multiply(&t, (ky * p.kw + kx) * p.icg4 * p.oc4, rows, p.icg4, at.column);
        }
    }
    store_tile(&t, phase, at.row, phase_pixels(), at.column);
}

// Average: y = (sum over ky, kx of x[plane, oy sy - py + ky dy, ox sx - px + kx dx]) / divisor
// Lp norm: y = (sum of |x|^POWER)^(1 / POWER)
//   x: row-major [planes, ih, iw]   y: row-major [planes, oh, ow]   (a plane is one channel of one image)
// Taps outside the image add nothing. The divisor is that of common/pool_sum.wgsl.
// One invocation: one output.

struct Params {
    planes: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    divisor: u32, count_y0: u32, count_y1: u32, count_x0: u32, count_x1: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    if i >= p.planes * p.oh * p.ow { return; }
    let start_x = i % p.ow * p.sx;
    let start_y = i / p.ow % p.oh * p.sy;
    let plane = i / (p.ow * p.oh);
    let end_y = taps_before(p.py + p.ih, start_y, p.dy, p.kh);
    let end_x = taps_before(p.px + p.iw, start_x, p.dx, p.kw);
    var sum = 0.0;
    for (var ky = taps_before(p.py, start_y, p.dy, p.kh); ky < end_y; ky++) {
        let row = (plane * p.ih + start_y + ky * p.dy - p.py) * p.iw;
        for (var kx = taps_before(p.px, start_x, p.dx, p.kw); kx < end_x; kx++) {
            sum += pool_term(vec4<f32>(x[row + start_x + kx * p.dx - p.px])).x;
        }
    }
    y[i] = pool_result(vec4<f32>(sum), pool_divisor(start_y, start_x)).x;
}

// y[plane, oy, ox] = max over ky, kx of x[plane, iy, ix], iy = oy sy - py + ky dy, ix = ox sx - px + kx dx inside the image, and
// where it is: indices = plane step_plane + iy step_y + ix step_x.
//   x: row-major [planes, ih, iw]   y, indices: row-major [planes, oh, ow] Of equal values the first counts, of NaNs the last; a
//     window without a tap inside the image gives p.lowest at 0.
// One invocation: one output.

struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    kh: u32, kw: u32, step_plane: u32, step_y: u32, step_x: u32,
    lowest: f32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> indices: array<i32>;

fn compute(i: u32) {
    if i >= p.n * p.c * p.oh * p.ow { return; }
    let start_x = i % p.ow * p.sx;
    let start_y = i / p.ow % p.oh * p.sy;
    let plane = i / (p.ow * p.oh);
    let end_y = taps_before(p.py + p.ih, start_y, p.dy, p.kh);
    let end_x = taps_before(p.px + p.iw, start_x, p.dx, p.kw);
    var best = p.lowest;
    var at = vec2<u32>(0u, 0u);
    var found = false;
    for (var ky = taps_before(p.py, start_y, p.dy, p.kh); ky < end_y; ky++) {
        let iy = start_y + ky * p.dy - p.py;
        for (var kx = taps_before(p.px, start_x, p.dx, p.kw); kx < end_x; kx++) {
            let ix = start_x + kx * p.dx - p.px;
            let v = x[(plane * p.ih + iy) * p.iw + ix];
            if !found || is_nan(v) || (v > best && !is_nan(best)) {
                best = v;
                at = vec2<u32>(iy, ix);
                found = true;
            }
        }
    }
    y[i] = best;
    indices[i] = i32(plane * p.step_plane + at.x * p.step_y + at.y * p.step_x);
}

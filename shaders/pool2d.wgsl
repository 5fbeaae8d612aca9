// y[plane, oy, ox] = pool over ky, kx of x[plane, oy sy - py + ky dy, ox sx - px + kx dx], taps outside the image left out; pool
// is the maximum, the mean or a norm (shared/pool.wgsl).
//   x: row-major [planes, ih, iw]   y: row-major [planes, oh, ow]   (a plane is one channel of one image) The maximum without
//     taps is p.lowest, which is -inf. KH, KW, INSIDE: see shared/window.wgsl.
// One invocation: 4 outputs of a row, a quarter of it apart, so that neighbouring invocations take neighbouring elements; past
// the end the last output is repeated.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    let step = (p.ow + 3u) / 4u;
    if i >= p.n * p.c * p.oh * step { return; }
    let row = i / step;
    let plane = row / p.oh;
    let start_y = (row - plane * p.oh) * p.sy;
    let ox = min(vec4<u32>(0u, 1u, 2u, 3u) * step + (i - row * step), vec4<u32>(p.ow - 1u));
    var pool = pool_start();
    for (var ky = 0u; ky < KH; ky++) {
        let iy = start_y + ky * p.dy - p.py;
        let at = (plane * p.ih + image_row(iy)) * p.iw;
        for (var kx = 0u; kx < KW; kx++) {
            let ix = ox * p.sx + (kx * p.dx - p.px);
            let i = image_columns(ix) + at;
            pool = pool_add(pool, vec4<f32>(x[i.x], x[i.y], x[i.z], x[i.w]), inside(iy, ix));
        }
    }
    let v = pool_end(pool, pool_rows(start_y), pool_columns(ox * p.sx));
    let to = ox + row * p.ow;
    y[to.x] = v.x; y[to.y] = v.y; y[to.z] = v.z; y[to.w] = v.w;
}

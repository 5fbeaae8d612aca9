// y[n, oy, ox, c] = pool over ky, kx of x[n, oy sy - py + ky dy, ox sx - px + kx dx, c], taps outside the image left out, four
// channels at a time; pool is the maximum, the mean or a norm (shared/pool.wgsl).
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4, padding lanes 0
// One invocation: one vec4 of up to 4 outputs below each other; neighbouring invocations take neighbouring channels, so that
// loads and stores coalesce. A loop, since short code fits the caches of instructions and branches: on a software adapter its
// time varies less (measured).

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    let length = p.ow * c4;
    let rows = p.n * p.oh;
    let band = i / length;
    let first = band * 4u;
    let at = i - band * length;
    let ox = at / c4;
    let cb = at - ox * c4;
    let start_x = vec4<u32>(ox * p.sx);
    let columns = pool_columns(start_x);
    let own = vec4<u32>(0u, 1u, 2u, 3u) + cb * 4u < vec4<u32>(p.c);
    var n = first / p.oh;
    var oy = first - n * p.oh;
    for (var row = first; row < min(first + 4u, rows); row++) {
        let start_y = oy * p.sy;
        var pool = pool_start();
        for (var ky = 0u; ky < KH; ky++) {
            let iy = start_y + ky * p.dy - p.py;
            let line = (n * p.ih + image_row(iy)) * p.iw;
            for (var kx = 0u; kx < KW; kx++) {
                let ix = start_x + (kx * p.dx - p.px);
                let i = (line + image_columns(ix).x) * c4 + cb;
                pool = pool_add(pool, vec4<f32>(x[i]), inside(iy, ix));
            }
        }
        let v = pool_end(pool, pool_rows(start_y), columns);
        y[row * length + at] = vec4<Stored>(select(vec4<f32>(0.0), v, own));
        oy++;
        if oy == p.oh { oy = 0u; n++; }
    }
}

// Max pooling as in pool2d_max, four channels at a time.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4, padding lanes 0
// One invocation: one vec4 of y; neighbours take neighbouring channels, so that loads and stores coalesce.

struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    lowest: f32,
}

// The element type of x and y.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let c4 = (p.c + 3u) / 4u;
    let i = flat_id(gid, groups);
    if i >= p.n * p.oh * p.ow * c4 { return; }
    let cb = i % c4;
    let start_x = i / c4 % p.ow * p.sx;
    let start_y = i / (c4 * p.ow) % p.oh * p.sy;
    let n = i / (c4 * p.ow * p.oh);
    let end_y = taps_before(p.py + p.ih, start_y, p.dy, p.kh);
    let end_x = taps_before(p.px + p.iw, start_x, p.dx, p.kw);
    var best = vec4<f32>(p.lowest);
    for (var ky = taps_before(p.py, start_y, p.dy, p.kh); ky < end_y; ky++) {
        let row = (n * p.ih + start_y + ky * p.dy - p.py) * p.iw;
        for (var kx = taps_before(p.px, start_x, p.dx, p.kw); kx < end_x; kx++) {
            best = maximum4(best, vec4<f32>(x[(row + start_x + kx * p.dx - p.px) * c4 + cb]));
        }
    }
    let lanes = vec4<u32>(0u, 1u, 2u, 3u) + cb * 4u;
    y[i] = vec4<Stored>(select(vec4<f32>(0.0), best, lanes < vec4<u32>(p.c)));
}

// Average and Lp norm as in pool2d_sum, four channels at a time.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4
// Padding lanes of x are 0, hence so are those of y.
// One invocation: one vec4 of 4 neighbouring outputs of a row, as in pool2d_max_c4.

struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    divisor: u32, count_y0: u32, count_y1: u32, count_x0: u32, count_x1: u32,
}

// The element type of x and y.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

override KH: u32 = 1u;
override KW: u32 = 1u;
override INSIDE: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let c4 = (p.c + 3u) / 4u;
    let tiles = (p.ow + 3u) / 4u;
    if i >= p.n * p.oh * tiles * c4 { return; }
    let tile = i / c4;
    let row = tile / tiles;
    let n = row / p.oh;
    let cb = i - tile * c4;
    let start_y = (row - n * p.oh) * p.sy;
    let ox = min(vec4<u32>(0u, 1u, 2u, 3u) + (tile - row * tiles) * 4u, vec4<u32>(p.ow - 1u));
    var a0 = vec4<f32>(0.0); var a1 = a0; var a2 = a0; var a3 = a0;
    for (var ky = 0u; ky < KH; ky++) {
        let iy = start_y + ky * p.dy - p.py;
        let at = (n * p.ih + image_row(iy)) * p.iw;
        for (var kx = 0u; kx < KW; kx++) {
            let ix = ox * p.sx + (kx * p.dx - p.px);
            let i = (image_columns(ix) + at) * c4 + cb;
            let ok = inside(iy, ix);
            a0 += select(vec4<f32>(0.0), pool_term(vec4<f32>(x[i.x])), ok.x);
            a1 += select(vec4<f32>(0.0), pool_term(vec4<f32>(x[i.y])), ok.y);
            a2 += select(vec4<f32>(0.0), pool_term(vec4<f32>(x[i.z])), ok.z);
            a3 += select(vec4<f32>(0.0), pool_term(vec4<f32>(x[i.w])), ok.w);
        }
    }
    let divisor = pool_divisor(start_y, ox * p.sx);
    let to = (ox + row * p.ow) * c4 + cb;
    y[to.x] = vec4<Stored>(pool_result(a0, vec4<f32>(divisor.x)));
    y[to.y] = vec4<Stored>(pool_result(a1, vec4<f32>(divisor.y)));
    y[to.z] = vec4<Stored>(pool_result(a2, vec4<f32>(divisor.z)));
    y[to.w] = vec4<Stored>(pool_result(a3, vec4<f32>(divisor.w)));
}

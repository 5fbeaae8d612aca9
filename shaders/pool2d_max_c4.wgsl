// Max pooling as in pool2d_max, four channels at a time.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4, padding lanes 0
// One invocation: one vec4 of 4 neighbouring outputs of a row; neighbours take neighbouring channels, so that loads and
// stores coalesce. Past the end of the row the last output is computed again.

struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    lowest: f32,
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
    let lowest = vec4<f32>(p.lowest);
    var a0 = lowest; var a1 = lowest; var a2 = lowest; var a3 = lowest;
    for (var ky = 0u; ky < KH; ky++) {
        let iy = start_y + ky * p.dy - p.py;
        let at = (n * p.ih + image_row(iy)) * p.iw;
        for (var kx = 0u; kx < KW; kx++) {
            let ix = ox * p.sx + (kx * p.dx - p.px);
            let i = (image_columns(ix) + at) * c4 + cb;
            let ok = inside(iy, ix);
            a0 = maximum4(a0, select(lowest, vec4<f32>(x[i.x]), ok.x));
            a1 = maximum4(a1, select(lowest, vec4<f32>(x[i.y]), ok.y));
            a2 = maximum4(a2, select(lowest, vec4<f32>(x[i.z]), ok.z));
            a3 = maximum4(a3, select(lowest, vec4<f32>(x[i.w]), ok.w));
        }
    }
    let own = vec4<u32>(0u, 1u, 2u, 3u) + cb * 4u < vec4<u32>(p.c);
    let to = (ox + row * p.ow) * c4 + cb;
    y[to.x] = vec4<Stored>(select(vec4<f32>(0.0), a0, own));
    y[to.y] = vec4<Stored>(select(vec4<f32>(0.0), a1, own));
    y[to.z] = vec4<Stored>(select(vec4<f32>(0.0), a2, own));
    y[to.w] = vec4<Stored>(select(vec4<f32>(0.0), a3, own));
}

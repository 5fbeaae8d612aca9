// Resampling as in resize, four channels at a time.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4, padding lanes 0
// One invocation: one vec4 of y; neighbours take neighbouring channels, so that loads and stores coalesce.

struct Params { n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, taps_y: u32, taps_x: u32, outside: f32 }

struct Tap { at: u32, weight: f32 }

// The element type of x and y.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> rows: array<Tap>;
@group(0) @binding(3) var<storage, read> columns: array<Tap>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Stored>>;

const NONE: u32 = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let c4 = (p.c + 3u) / 4u;
    let i = flat_id(gid, groups);
    if i >= p.n * p.oh * p.ow * c4 { return; }
    let cb = i % c4;
    let column = i / c4 % p.ow * p.taps_x;
    let row = i / (c4 * p.ow) % p.oh * p.taps_y;
    let image = i / (c4 * p.ow * p.oh) * p.ih;
    if rows[row].at == NONE || columns[column].at == NONE {
        let lanes = vec4<u32>(0u, 1u, 2u, 3u) + cb * 4u;
        y[i] = vec4<Stored>(select(vec4<f32>(0.0), vec4<f32>(p.outside), lanes < vec4<u32>(p.c)));
        return;
    }
    if p.taps_y == 1u && p.taps_x == 1u {
        y[i] = x[((image + rows[row].at) * p.iw + columns[column].at) * c4 + cb];
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < p.taps_y; ky++) {
        let ty = rows[row + ky];
        var line = vec4<f32>(0.0);
        for (var kx = 0u; kx < p.taps_x; kx++) {
            let tx = columns[column + kx];
            line += tx.weight * vec4<f32>(x[((image + ty.at) * p.iw + tx.at) * c4 + cb]);
        }
        sum += ty.weight * line;
    }
    y[i] = vec4<Stored>(sum);
}

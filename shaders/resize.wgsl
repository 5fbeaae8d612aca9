// y[plane, oy, ox] = sum over the taps of row oy and of column ox of wy wx x[plane, iy, ix]
//   x: row-major [planes, ih, iw]   rows: [oh, taps_y]   columns: [ow, taps_x]   y: row-major [planes, oh, ow]
// The host lists the taps of every row and column (reference::resize::Axis); an output whose first tap is NONE lies
// outside the image. One tap an axis is a copy.
// One invocation: one output.

struct Params { planes: u32, ih: u32, iw: u32, oh: u32, ow: u32, taps_y: u32, taps_x: u32, outside: f32 }

struct Tap { at: u32, weight: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<Tap>;
@group(0) @binding(3) var<storage, read> columns: array<Tap>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const NONE: u32 = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    if i >= p.planes * p.oh * p.ow { return; }
    let column = i % p.ow * p.taps_x;
    let row = i / p.ow % p.oh * p.taps_y;
    let plane = i / (p.ow * p.oh) * p.ih;
    if rows[row].at == NONE || columns[column].at == NONE {
        y[i] = p.outside;
        return;
    }
    if p.taps_y == 1u && p.taps_x == 1u {
        y[i] = x[(plane + rows[row].at) * p.iw + columns[column].at];
        return;
    }
    var sum = 0.0;
    for (var ky = 0u; ky < p.taps_y; ky++) {
        let ty = rows[row + ky];
        var line = 0.0;
        for (var kx = 0u; kx < p.taps_x; kx++) {
            let tx = columns[column + kx];
            line += tx.weight * x[(plane + ty.at) * p.iw + tx.at];
        }
        sum += ty.weight * line;
    }
    y[i] = sum;
}

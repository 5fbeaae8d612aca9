// y[plane, oy, ox] = sum over the taps of row oy and of column ox of wy wx x[plane, iy, ix]
//   x: row-major [planes, ih, iw]   y: row-major [planes, oh, ow]   (a plane is one channel of one image)   One tap per axis is a copy.
// One invocation: one output of 4 planes, a quarter of them apart, for which it reads the taps once; past the last plane that one
// is repeated.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn load(i: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(x[i.x], x[i.y], x[i.z], x[i.w]);
}

fn store(i: vec4<u32>, v: vec4<f32>) {
    y[i.x] = v.x; y[i.y] = v.y; y[i.z] = v.z; y[i.w] = v.w;
}

fn compute(i: u32) {
    let planes = p.n * p.c;
    let step = (planes + 3u) / 4u;
    if i >= step * p.oh * p.ow { return; }
    let line = i / p.ow;
    let first = line / p.oh;
    let column = (i - line * p.ow) * TAPS_X;
    let row = (line - first * p.oh) * TAPS_Y;
    let plane = min(vec4<u32>(0u, 1u, 2u, 3u) * step + first, vec4<u32>(planes - 1u));
    let to = plane * (p.oh * p.ow) + (i - first * p.oh * p.ow);
    if is_outside(row, column) {
        store(to, vec4<f32>(p.outside));
        return;
    }
    let image = plane * (p.ih * p.iw);
    if TAPS_Y == 1u && TAPS_X == 1u {
        store(to, load(image + (rows[row].at * p.iw + columns[column].at)));
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < TAPS_Y; ky++) {
        let ty = rows[row + ky];
        var line = vec4<f32>(0.0);
        for (var kx = 0u; kx < TAPS_X; kx++) {
            let tx = columns[column + kx];
            line += tx.weight * load(image + (ty.at * p.iw + tx.at));
        }
        sum += ty.weight * line;
    }
    store(to, sum);
}

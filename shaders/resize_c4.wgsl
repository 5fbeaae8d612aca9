// y[n, oy, ox, c] = sum over the taps of row oy and of column ox of wy wx x[n, iy, ix, c], four channels at a time.
//   x: channels-last [n, ih, iw, c4] of vec4   y: channels-last [n, oh, ow, c4] of vec4, padding lanes 0
// One invocation: BLOCKS vec4s of one pixel of y, for which it reads the taps once; neighbouring invocations take neighbouring
// channels, so that loads and stores coalesce. Past the last channels those are repeated.

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Stored>>;

override BLOCKS: u32 = 4u;

// The numbers of four channel blocks, `step` apart, from their first on.
fn blocks(first: u32, step: u32, c4: u32) -> vec4<u32> {
    return min(vec4<u32>(0u, 1u, 2u, 3u) * step + first, vec4<u32>(c4 - 1u));
}

fn store(i: u32, v0: vec4<f32>, v1: vec4<f32>, v2: vec4<f32>, v3: vec4<f32>, cb: vec4<u32>) {
    y[i + cb.x] = vec4<Stored>(v0);
    if BLOCKS > 1u { y[i + cb.y] = vec4<Stored>(v1); }
    if BLOCKS > 2u { y[i + cb.z] = vec4<Stored>(v2); }
    if BLOCKS > 3u { y[i + cb.w] = vec4<Stored>(v3); }
}

fn lanes(v: f32, cb: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(v), vec4<u32>(0u, 1u, 2u, 3u) + cb * 4u < vec4<u32>(p.c));
}

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    let step = (c4 + BLOCKS - 1u) / BLOCKS;
    if i >= p.n * p.oh * p.ow * step { return; }
    let pixel = i / step;
    let line = pixel / p.ow;
    let n = line / p.oh;
    let cb = blocks(i - pixel * step, step, c4);
    let column = (pixel - line * p.ow) * TAPS_X;
    let row = (line - n * p.oh) * TAPS_Y;
    let to = pixel * c4;
    if is_outside(row, column) {
        let v = p.outside;
        store(to, lanes(v, cb.x), lanes(v, cb.y), lanes(v, cb.z), lanes(v, cb.w), cb);
        return;
    }
    if TAPS_Y == 1u && TAPS_X == 1u {
        let at = vec4<u32>(((n * p.ih + rows[row].at) * p.iw + columns[column].at) * c4) + cb;
        store(to, vec4<f32>(x[at.x]), vec4<f32>(x[at.y]), vec4<f32>(x[at.z]), vec4<f32>(x[at.w]), cb);
        return;
    }
    let zero = vec4<f32>(0.0);
    var s0 = zero; var s1 = zero; var s2 = zero; var s3 = zero;
    for (var ky = 0u; ky < TAPS_Y; ky++) {
        let ty = rows[row + ky];
        let at = (n * p.ih + ty.at) * p.iw;
        var l0 = zero; var l1 = zero; var l2 = zero; var l3 = zero;
        for (var kx = 0u; kx < TAPS_X; kx++) {
            let tx = columns[column + kx];
            let i = (at + tx.at) * c4;
            l0 += tx.weight * vec4<f32>(x[i + cb.x]);
            if BLOCKS > 1u { l1 += tx.weight * vec4<f32>(x[i + cb.y]); }
            if BLOCKS > 2u { l2 += tx.weight * vec4<f32>(x[i + cb.z]); }
            if BLOCKS > 3u { l3 += tx.weight * vec4<f32>(x[i + cb.w]); }
        }
        s0 += ty.weight * l0; s1 += ty.weight * l1; s2 += ty.weight * l2; s3 += ty.weight * l3;
    }
    store(to, s0, s1, s2, s3, cb);
}

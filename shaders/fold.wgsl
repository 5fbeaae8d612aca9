// y[plane, iy, ix] = sum over ky, kx of x[plane, ky, kx, oy, ox], oy sy - py + ky dy = iy, ox sx - px + kx dx = ix
//   x: row-major [planes, KH KW, oh ow], a window's taps for every place of it   y: row-major [planes, ih, iw]
// One invocation: one pixel, which gathers from the windows that it is in, so that nothing is added to in memory.

struct Params {
    planes: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override KH: u32 = 1u;
override KW: u32 = 1u;

// The window of which a pixel is tap k along an axis; `count` of them or more: of none.
fn window(i: u32, k: u32, padding: u32, stride: u32, dilation: u32, count: u32) -> u32 {
    let first = i + padding;
    let before = k * dilation;
    let start = max(first, before) - before;
    return select(count, start / stride, (first >= before) & (start % stride == 0u));
}

fn compute(i: u32) {
    if i >= p.planes * p.ih * p.iw { return; }
    let ix = i % p.iw;
    let iy = i / p.iw % p.ih;
    let first = i / p.iw / p.ih * (KH * KW * p.oh * p.ow);
    var sum = 0.0;
    for (var ky = 0u; ky < KH; ky++) {
        let oy = window(iy, ky, p.py, p.sy, p.dy, p.oh);
        if oy < p.oh {
            for (var kx = 0u; kx < KW; kx++) {
                let ox = window(ix, kx, p.px, p.sx, p.dx, p.ow);
                if ox < p.ow { sum += x[first + ((ky * KW + kx) * p.oh + oy) * p.ow + ox]; }
            }
        }
    }
    y[i] = sum;
}

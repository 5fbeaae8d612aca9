// Nearest resampling by whole factors, four channels at a time: y[n, iy RY + ky, ix RX + kx] = x[n, iy, ix]
//   x: channels-last [rows, iw, c4] of vec4, rows = n ih   y: channels-last [rows RY, iw RX, c4] of vec4
// One invocation: one vec4 of x and its RY RX copies; neighbouring invocations take neighbouring channels, so that loads and
// stores coalesce. Compared with resize_c4: every pixel is loaded once, without a table.

struct Params { rows: u32, iw: u32, c4: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

override RY: u32 = 1u;
override RX: u32 = 1u;

fn compute(i: u32) {
    if i >= p.rows * p.iw * p.c4 { return; }
    let pixel = i / p.c4;
    let row = pixel / p.iw;
    let pitch = p.iw * RX * p.c4;
    let first = row * RY * pitch + (pixel - row * p.iw) * RX * p.c4 + (i - pixel * p.c4);
    let v = x[i];
    for (var ky = 0u; ky < RY; ky++) {
        for (var kx = 0u; kx < RX; kx++) { y[first + ky * pitch + kx * p.c4] = v; }
    }
}

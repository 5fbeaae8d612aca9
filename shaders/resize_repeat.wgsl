// Nearest resampling by whole factors: y[plane, iy RY + ky, ix RX + kx] = x[plane, iy, ix], four pixels at a time.
//   x: row-major [rows, iw4] of vec4, rows = planes ih   y: row-major [rows RY, iw4 RX] of vec4
// One invocation: one vec4 of x and the RY RX vec4s of y that repeat it. Compared with resize: every pixel is loaded once,
// without a table.

struct Params { rows: u32, iw4: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

override RY: u32 = 1u;
override RX: u32 = 1u;

fn compute(i: u32) {
    if i >= p.rows * p.iw4 { return; }
    let row = i / p.iw4;
    let pitch = p.iw4 * RX;
    let first = row * RY * pitch + (i - row * p.iw4) * RX;
    let v = x[i];
    for (var k = 0u; k < RX; k++) {
        let w = vec4<f32>(v[4u * k / RX], v[(4u * k + 1u) / RX], v[(4u * k + 2u) / RX], v[(4u * k + 3u) / RX]);
        for (var ky = 0u; ky < RY; ky++) { y[first + ky * pitch + k] = w; }
    }
}

// y[n, c, hw] = x[n, hw, c], for images of whole vec4s (hw % 4 == 0).
//   x: channels-last [n, hw, c4] of vec4   y: row-major [n, c, hw4] of vec4
// One invocation: 4 channels of 4 pixels, transposed in registers; neighbouring invocations take neighbouring pixels.
// Compared with to_row_major: vec4 stores, and a quarter of the index arithmetic.

struct Params { n: u32, c: u32, hw: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Wide>>;

fn compute(i: u32) {
    let c4 = (p.c + 3u) / 4u;
    let hw4 = p.hw / 4u;
    let rest = i / hw4;
    let q = i - rest * hw4;
    let n = rest / c4;
    let cb = rest - n * c4;
    if n >= p.n { return; }
    let at = (n * p.hw + q * 4u) * c4 + cb;
    let u0 = vec4<Wide>(x[at]); let u1 = vec4<Wide>(x[at + c4]);
    let u2 = vec4<Wide>(x[at + 2u * c4]); let u3 = vec4<Wide>(x[at + 3u * c4]);
    let to = (n * p.c + cb * 4u) * hw4 + q;
    let left = p.c - cb * 4u;
    y[to] = vec4<Wide>(u0.x, u1.x, u2.x, u3.x);
    if left > 1u { y[to + hw4] = vec4<Wide>(u0.y, u1.y, u2.y, u3.y); }
    if left > 2u { y[to + 2u * hw4] = vec4<Wide>(u0.z, u1.z, u2.z, u3.z); }
    if left > 3u { y[to + 3u * hw4] = vec4<Wide>(u0.w, u1.w, u2.w, u3.w); }
}

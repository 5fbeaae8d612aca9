// y[i] = sin x[i], or cos x[i] if COSINE; any shape, both row-major and seen as vec4s. Sine and cosine of the angle less whole
// quarter turns (shared/turns), of which the quarter chooses one and its sign.
// One invocation: one vec4. Values are written by their bits, since non-finite arguments give NaN.

struct Params { count4: u32, zero: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

override COSINE: bool = false;

fn sine(v: f32) -> u32 {
    if (bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u { return 0x7fc00000u; }
    let t = turned(v, p.zero);
    let quadrant = (t.quarters + select(0, 1, COSINE)) & 3;
    let size = clamp(select(t.odd, t.even, (quadrant & 1) == 1), -1.0, 1.0);
    return bitcast<u32>(select(size, -size, quadrant >= 2));
}

fn compute(i: u32) {
    if i >= p.count4 { return; }
    let v = x[i];
    y[i] = vec4<u32>(sine(v.x), sine(v.y), sine(v.z), sine(v.w));
}

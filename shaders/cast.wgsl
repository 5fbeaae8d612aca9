// y[i] = x[i] as another type, any shape, either layout: both tensors are seen as vec4s of 4-byte elements.
//   x, y: count4 vec4s; 0 is 0 in every type, so that padding lanes stay 0
// One invocation: one vec4.

struct Params { count4: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

override FROM: u32 = TYPE_F32;
override TO: u32 = TYPE_F32;
// A float becomes the nearest number of this type, if it has 16 bits.
override ROUND_TO: u32 = TYPE_F32;

// Truncates; beyond the range of i32 (u32 for positive numbers if TO is TYPE_U32) the nearest integer; NaN gives 0.
fn integer(bits: u32) -> u32 {
    let v = bitcast<f32>(bits);
    if is_nan(v) { return 0u; }
    if TO == TYPE_U32 && v >= 2147483648.0 { return select(u32(v), 0xffffffffu, v >= 4294967296.0); }
    if v >= 2147483648.0 { return 0x7fffffffu; }
    if v <= -2147483648.0 { return 0x80000000u; }
    return bitcast<u32>(i32(v));
}

// Rounds the low n bits away, to the nearest, halves to even.
fn round_off(bits: u32, n: u32) -> u32 {
    return ((bits + (1u << (n - 1u)) - 1u + ((bits >> n) & 1u)) >> n) << n;
}

// The nearest number of a format of 16 bits, by integer arithmetic: the rounding of floats is a device's business.
fn half(bits: u32) -> u32 {
    let a = bits & 0x7fffffffu;
    if (ROUND_TO != TYPE_F16 && ROUND_TO != TYPE_BF16) || a > 0x7f800000u { return bits; }
    let sign = bits & 0x80000000u;
    if ROUND_TO == TYPE_BF16 { return sign | round_off(a, 16u); }
    if a >= 0x477ff000u { return sign | 0x7f800000u; }
    if a >= 0x38800000u { return sign | round_off(a, 13u); }
    // Multiples of 2^-24: a subnormal f16.
    let exponent = a >> 23u;
    if exponent < 102u { return sign; }
    let shift = 126u - exponent;
    let units = round_off((a & 0x7fffffu) | 0x800000u, shift) >> shift;
    return sign | bitcast<u32>(f32(units) * 5.9604645e-8);
}

fn convert(bits: u32) -> u32 {
    if FROM == TO { return half(bits); }
    if FROM == TYPE_F32 && TO == TYPE_BOOL { return u32((bits & 0x7fffffffu) != 0u); }
    if FROM == TYPE_F32 { return narrow(integer(bits), TO); }
    if TO == TYPE_F32 && FROM == TYPE_U32 { return half(bitcast<u32>(f32(bits))); }
    if TO == TYPE_F32 { return half(bitcast<u32>(f32(bitcast<i32>(bits)))); }
    if TO == TYPE_BOOL { return u32(bits != 0u); }
    return narrow(bits, TO);
}

fn compute(i: u32) {
    if i >= p.count4 { return; }
    let v = x[i];
    y[i] = vec4<u32>(convert(v.x), convert(v.y), convert(v.z), convert(v.w));
}

// y[i] = x[i] as another type, any shape, either layout: both tensors are seen as vec4s of 4-byte elements.
//   x, y: count4 vec4s; 0 is 0 in every type, so that padding lanes stay 0
// One invocation: one vec4.

struct Params { count4: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

// 0: f32, 1: an integer, 2: a boolean.
override FROM: u32 = 0u;
override TO: u32 = 0u;

// Truncates; beyond the range of i32 the nearest integer; NaN gives 0.
fn integer(bits: u32) -> u32 {
    let v = bitcast<f32>(bits);
    if is_nan(v) { return 0u; }
    if v >= 2147483648.0 { return 0x7fffffffu; }
    if v <= -2147483648.0 { return 0x80000000u; }
    return bitcast<u32>(i32(v));
}

fn convert(bits: u32) -> u32 {
    if FROM == 0u && TO == 1u { return integer(bits); }
    if FROM == 0u && TO == 2u { return u32((bits & 0x7fffffffu) != 0u); }
    if FROM != 0u && TO == 0u { return bitcast<u32>(f32(bitcast<i32>(bits))); }
    if FROM == 1u && TO == 2u { return u32(bits != 0u); }
    return bits;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    if i >= p.count4 { return; }
    let v = x[i];
    y[i] = vec4<u32>(convert(v.x), convert(v.y), convert(v.z), convert(v.w));
}

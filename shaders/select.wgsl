// y[k0, .., k5] = cond[sum k_j c_j] ? a[sum k_j a_j] : b[sum k_j b_j], row-major; a stride is 0 along a broadcast axis.
//   y: [d0, .., d5], of which the last RANK count    cond: 0 or 1    a, b: 4-byte elements
// One invocation: one output.

struct Params {
    count: u32,
    d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32,
    c0: i32, c1: i32, c2: i32, c3: i32, c4: i32, c5: i32,
    a0: i32, a1: i32, a2: i32, a3: i32, a4: i32, a5: i32,
    b0: i32, b1: i32, b2: i32, b3: i32, b4: i32, b5: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> cond: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<u32>;

override RANK: u32 = 6u;

fn compute(i: u32) {
    if i >= p.count { return; }
    var r = i;
    var at = i32(r % p.d5) * vec3<i32>(p.c5, p.a5, p.b5);
    if RANK > 1u { r /= p.d5; at += i32(r % p.d4) * vec3<i32>(p.c4, p.a4, p.b4); }
    if RANK > 2u { r /= p.d4; at += i32(r % p.d3) * vec3<i32>(p.c3, p.a3, p.b3); }
    if RANK > 3u { r /= p.d3; at += i32(r % p.d2) * vec3<i32>(p.c2, p.a2, p.b2); }
    if RANK > 4u { r /= p.d2; at += i32(r % p.d1) * vec3<i32>(p.c1, p.a1, p.b1); }
    if RANK > 5u { r /= p.d1; at += i32(r) * vec3<i32>(p.c0, p.a0, p.b0); }
    if cond[at.x] != 0u { y[i] = a[at.y]; } else { y[i] = b[at.z]; }
}

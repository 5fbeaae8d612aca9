
// --- shared/strided.wgsl ---
// Up to three operands of 4-byte elements, broadcast and in any order: output (k0, .., k7) takes element sum k_j a_j of the first, and
// so on. The output is row-major [d0, .., d7], of which the last RANK count; strides may be 0 or negative.

struct Params {
    count: u32, offset: i32,
    d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32, d6: u32, d7: u32,
    a0: i32, a1: i32, a2: i32, a3: i32, a4: i32, a5: i32, a6: i32, a7: i32,
    b0: i32, b1: i32, b2: i32, b3: i32, b4: i32, b5: i32, b6: i32, b7: i32,
    c0: i32, c1: i32, c2: i32, c3: i32, c4: i32, c5: i32, c6: i32, c7: i32,
}

override RANK: u32 = 8u;

// The elements of the operands for output i.
fn elements(i: u32) -> vec3<i32> {
    var r = i;
    var at = i32(r % p.d7) * vec3<i32>(p.a7, p.b7, p.c7);
    if RANK > 1u { r /= p.d7; at += i32(r % p.d6) * vec3<i32>(p.a6, p.b6, p.c6); }
    if RANK > 2u { r /= p.d6; at += i32(r % p.d5) * vec3<i32>(p.a5, p.b5, p.c5); }
    if RANK > 3u { r /= p.d5; at += i32(r % p.d4) * vec3<i32>(p.a4, p.b4, p.c4); }
    if RANK > 4u { r /= p.d4; at += i32(r % p.d3) * vec3<i32>(p.a3, p.b3, p.c3); }
    if RANK > 5u { r /= p.d3; at += i32(r % p.d2) * vec3<i32>(p.a2, p.b2, p.c2); }
    if RANK > 6u { r /= p.d2; at += i32(r % p.d1) * vec3<i32>(p.a1, p.b1, p.c1); }
    if RANK > 7u { r /= p.d1; at += i32(r) * vec3<i32>(p.a0, p.b0, p.c0); }
    return at;
}

// y[k0, .., k7] = x[offset + sum k_j s_j]: permute, expand, slice, tile. Strides may be 0 or negative.
//   y: row-major [d0, .., d7], of which the last RANK count    x: 4-byte elements
// One invocation: one output; neighbouring invocations write neighbouring elements.

struct Params {
    count: u32, offset: i32,
    d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32, d6: u32, d7: u32,
    s0: i32, s1: i32, s2: i32, s3: i32, s4: i32, s5: i32, s6: i32, s7: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

override RANK: u32 = 8u;

fn compute(i: u32) {
    if i >= p.count { return; }
    var r = i;
    var at = p.offset + i32(r % p.d7) * p.s7;
    if RANK > 1u { r /= p.d7; at += i32(r % p.d6) * p.s6; }
    if RANK > 2u { r /= p.d6; at += i32(r % p.d5) * p.s5; }
    if RANK > 3u { r /= p.d5; at += i32(r % p.d4) * p.s4; }
    if RANK > 4u { r /= p.d4; at += i32(r % p.d3) * p.s3; }
    if RANK > 5u { r /= p.d3; at += i32(r % p.d2) * p.s2; }
    if RANK > 6u { r /= p.d2; at += i32(r % p.d1) * p.s1; }
    if RANK > 7u { r /= p.d1; at += i32(r) * p.s0; }
    y[i] = x[at];
}

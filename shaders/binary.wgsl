// y[i] = combine(a[..], b[..]), operands broadcast in blocks: all tensors are seen as vec4s of 4-byte elements.
//   y: count4 vec4s; PADDED: channels-last with c channels in c4 vec4s, whose padding lanes get 0
//   a, b, by ACCESS: WHOLE as y; BLOCKS vec4 number i / step * period + i % period; SPLAT element number i / step % period, in all
//     lanes
// One call of compute: one vec4 of y. Compared with binary_strided: vec4 loads and at most two divisions per operand.

struct Params {
    count4: u32, c: u32, c4: u32,
    a_step: u32, a_period: u32, b_step: u32, b_period: u32,
}

@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

override A_ACCESS: u32 = ACCESS_WHOLE;
override B_ACCESS: u32 = ACCESS_WHOLE;
override PADDED: bool = false;

fn bits(v: vec4<Stored>) -> vec4<u32> {
    return bitcast<vec4<u32>>(vec4<Wide>(v));
}

fn load_a(i: u32) -> vec4<u32> {
    if A_ACCESS == ACCESS_WHOLE { return bits(a[i]); }
    if A_ACCESS == ACCESS_BLOCKS { return bits(a[i / p.a_step * p.a_period + i % p.a_period]); }
    let e = i / p.a_step % p.a_period;
    return vec4<u32>(bits(a[e / 4u])[e % 4u]);
}

fn load_b(i: u32) -> vec4<u32> {
    if B_ACCESS == ACCESS_WHOLE { return bits(b[i]); }
    if B_ACCESS == ACCESS_BLOCKS { return bits(b[i / p.b_step * p.b_period + i % p.b_period]); }
    let e = i / p.b_step % p.b_period;
    return vec4<u32>(bits(b[e / 4u])[e % 4u]);
}

fn compute(i: u32) {
    let u = load_a(i);
    let v = load_b(i);
    var r = vec4<u32>(combine(u.x, v.x), combine(u.y, v.y), combine(u.z, v.z), combine(u.w, v.w));
    if PADDED {
        let lanes = vec4<u32>(0u, 1u, 2u, 3u) + (i % p.c4) * 4u;
        r = select(vec4<u32>(0u), r, lanes < vec4<u32>(p.c));
    }
    y[i] = vec4<Stored>(bitcast<vec4<Wide>>(r));
}

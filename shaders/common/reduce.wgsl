
// --- common/reduce.wgsl ---
// The pieces of a reduction, numbered as ops::reduce::Kind, and where its values lie. The kernel's params hold `lowest`
// and `highest`, the infinities, and `empty`, the result for no values.

const MAX = 2u;
const LOG_SUM_EXP = 8u;

override KIND: u32 = 0u;

fn start(kind: u32) -> f32 {
    switch kind {
        case 2u: { return p.lowest; }
        case 3u: { return p.highest; }
        case 4u: { return 1.0; }
        default: { return 0.0; }
    }
}

fn map(kind: u32, v: f32, shift: f32) -> f32 {
    switch kind {
        case 5u: { return abs(v); }
        case 6u, 9u: { return v * v; }
        case 8u: { return exp(v - shift); }
        default: { return v; }
    }
}

fn join(kind: u32, a: f32, b: f32) -> f32 {
    switch kind {
        case 2u: { return select(select(max(a, b), b, is_nan(b)), a, is_nan(a)); }
        case 3u: { return select(select(min(a, b), b, is_nan(b)), a, is_nan(a)); }
        case 4u: { return a * b; }
        default: { return a + b; }
    }
}

fn finish(a: f32, shift: f32) -> f32 {
    if p.count == 0u { return p.empty; }
    switch KIND {
        case 1u: { return a / f32(p.count); }
        case 6u: { return sqrt(a); }
        case 7u: { return log(a); }
        case 8u: {
            let is_finite = (bitcast<u32>(shift) & 0x7f800000u) != 0x7f800000u;
            return select(shift, shift + log(a), is_finite);
        }
        default: { return a; }
    }
}

// The first value of output o; the distance from it of the output's value r.
fn first(o: u32) -> u32 {
    return o / (p.k1 * p.k2) * p.ks0 + o / p.k2 % p.k1 * p.ks1 + o % p.k2 * p.ks2;
}

fn offset(r: u32) -> u32 {
    return r / (p.r1 * p.r2) * p.rs0 + r / p.r2 % p.r1 * p.rs1 + r % p.r2 * p.rs2;
}

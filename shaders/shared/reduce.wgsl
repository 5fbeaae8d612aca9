// The steps of the reduction KIND (attr::ReduceKind), and the indices of its values. Values are given by their bits: floats,
// or integers, as TYPE says (booleans are 0 and 1), whose sums and products wrap. `lowest` and `highest` are the
// infinities, `empty` the bits of the result without values.

struct Params {
    outputs: u32, count: u32,
    k1: u32, k2: u32, ks0: u32, ks1: u32, ks2: u32,
    r1: u32, r2: u32, rs0: u32, rs1: u32, rs2: u32,
    lowest: f32, highest: f32, empty: u32,
}

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

override KIND: u32 = REDUCE_SUM;
override TYPE: u32 = TYPE_F32;

fn start(kind: u32) -> u32 {
    switch kind {
        case REDUCE_MAX: {
            if TYPE == TYPE_U32 { return 0u; }
            return select(0x80000000u, bitcast<u32>(p.lowest), TYPE == TYPE_F32);
        }
        case REDUCE_MIN: {
            if TYPE == TYPE_U32 { return 0xffffffffu; }
            return select(0x7fffffffu, bitcast<u32>(p.highest), TYPE == TYPE_F32);
        }
        case REDUCE_PROD: { return select(1u, bitcast<u32>(1.0), TYPE == TYPE_F32); }
        default: { return 0u; }
    }
}

fn map_f32(kind: u32, v: f32, shift: f32) -> f32 {
    switch kind {
        case REDUCE_L1: { return abs(v); }
        case REDUCE_L2, REDUCE_SUM_SQUARE: { return v * v; }
        case REDUCE_LOG_SUM_EXP: { return exp(v - shift); }
        default: { return v; }
    }
}

fn map_i32(kind: u32, v: i32) -> i32 {
    switch kind {
        case REDUCE_L1: { return select(abs(v), v, TYPE == TYPE_U32); }
        case REDUCE_SUM_SQUARE: { return v * v; }
        default: { return v; }
    }
}

fn map(kind: u32, v: u32, shift: f32) -> u32 {
    if TYPE != TYPE_F32 { return bitcast<u32>(map_i32(kind, bitcast<i32>(v))); }
    return bitcast<u32>(map_f32(kind, bitcast<f32>(v), shift));
}

fn join_f32(kind: u32, a: f32, b: f32) -> f32 {
    switch kind {
        case REDUCE_MAX: { return select(select(max(a, b), b, is_nan(b)), a, is_nan(a)); }
        case REDUCE_MIN: { return select(select(min(a, b), b, is_nan(b)), a, is_nan(a)); }
        case REDUCE_PROD: { return a * b; }
        default: { return a + b; }
    }
}

fn join_i32(kind: u32, a: i32, b: i32) -> i32 {
    switch kind {
        case REDUCE_MAX: { return max(a, b); }
        case REDUCE_MIN: { return min(a, b); }
        case REDUCE_PROD: { return a * b; }
        default: { return a + b; }
    }
}

fn join(kind: u32, a: u32, b: u32) -> u32 {
    if TYPE == TYPE_U32 && kind == REDUCE_MAX { return max(a, b); }
    if TYPE == TYPE_U32 && kind == REDUCE_MIN { return min(a, b); }
    if TYPE != TYPE_F32 { return bitcast<u32>(join_i32(kind, bitcast<i32>(a), bitcast<i32>(b))); }
    return bitcast<u32>(join_f32(kind, bitcast<f32>(a), bitcast<f32>(b)));
}

fn finish_f32(a: f32, shift: f32) -> f32 {
    switch KIND {
        case REDUCE_MEAN: { return a / f32(p.count); }
        case REDUCE_L2: { return sqrt(a); }
        case REDUCE_LOG_SUM: { return logarithm(a); }
        case REDUCE_LOG_SUM_EXP: {
            let is_finite = (bitcast<u32>(shift) & 0x7f800000u) != 0x7f800000u;
            return select(shift, shift + log(a), is_finite);
        }
        default: { return a; }
    }
}

fn finish(a: u32, shift: f32) -> u32 {
    if p.count == 0u { return p.empty; }
    if TYPE == TYPE_U32 && KIND == REDUCE_MEAN { return a / p.count; }
    if TYPE != TYPE_F32 {
        if KIND == REDUCE_MEAN { return narrow(bitcast<u32>(bitcast<i32>(a) / i32(p.count)), TYPE); }
        return narrow(a, TYPE);
    }
    return bitcast<u32>(finish_f32(bitcast<f32>(a), shift));
}

// The index of the first value of output o; the offset of its value r.
fn first(o: u32) -> u32 {
    return o / (p.k1 * p.k2) * p.ks0 + o / p.k2 % p.k1 * p.ks1 + o % p.k2 * p.ks2;
}

fn offset(r: u32) -> u32 {
    return r / (p.r1 * p.r2) * p.rs0 + r / p.r2 % p.r1 * p.rs1 + r % p.r2 * p.rs2;
}


// --- shared/binary.wgsl ---
// combine(a, b): the function OP (attr::BinaryKind) of two elements of the type TYPE, given by their bits (booleans are 0 and 1).

override OP: u32 = OP_ADD;
override TYPE: u32 = TYPE_F32;

const NAN_BITS = 0x7fc00000u;
const INFINITY_BITS = 0x7f800000u;

fn is_infinite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == INFINITY_BITS;
}

// a^b = 2^(b log2 |a|), negated where a is negative and b odd; the cases that the logarithm does not cover are handled first. Signs
// and zeros by bits: a device may take a subnormal number for 0.
fn power(a: f32, b: f32) -> u32 {
    let magnitude = bitcast<u32>(b) & 0x7fffffffu;
    if magnitude == 0u || a == 1.0 { return bitcast<u32>(1.0); }
    if is_nan(a) || is_nan(b) { return NAN_BITS; }
    let whole = trunc(b) == b && magnitude >= 0x00800000u;
    let odd = whole && abs(b) < 16777216.0 && (i32(clamp(b, -16777216.0, 16777216.0)) & 1) != 0;
    let sign_bit = select(0u, bitcast<u32>(a) & 0x80000000u, odd);
    let is_zero = (bitcast<u32>(a) & 0x7fffffffu) == 0u;
    if is_zero || is_infinite(a) {
        return sign_bit | select(0u, INFINITY_BITS, is_zero != (bitcast<i32>(b) > 0));
    }
    if a == -1.0 && whole { return sign_bit | bitcast<u32>(1.0); }
    if bitcast<i32>(a) < 0 && !whole { return NAN_BITS; }
    return sign_bit | bitcast<u32>(exp2(b * logarithm2(abs(a))));
}

// The remainder of a after the nearest multiple of b towards 0; for an infinite b the multiple is 0, an infinite a has none.
fn fraction(a: f32, b: f32) -> f32 {
    if is_infinite(a) { return of_bits(NAN_BITS); }
    return select(a - b * trunc(quotient(a, b)), a, is_infinite(b));
}

fn floor_fraction(a: f32, b: f32) -> f32 {
    let r = fraction(a, b);
    return select(r, r + b, r != 0.0 && (r < 0.0) != (b < 0.0));
}

fn combine_f32(a: f32, b: f32) -> u32 {
    let ordered = !is_nan(a) && !is_nan(b);
    switch OP {
        case OP_ADD: { return bitcast<u32>(a + b); }
        case OP_SUB: { return bitcast<u32>(a - b); }
        case OP_MUL: { return bitcast<u32>(a * b); }
        case OP_DIV: { return bitcast<u32>(quotient(a, b)); }
        case OP_MAXIMUM: { return select(NAN_BITS, bitcast<u32>(max(a, b)), ordered); }
        case OP_MINIMUM: { return select(NAN_BITS, bitcast<u32>(min(a, b)), ordered); }
        case OP_POW: { return power(a, b); }
        case OP_MOD: { return bitcast<u32>(floor_fraction(a, b)); }
        case OP_FMOD: { return bitcast<u32>(fraction(a, b)); }
        case OP_EQUAL: { return u32(ordered && a == b); }
        case OP_LESS: { return u32(ordered && a < b); }
        case OP_GREATER: { return u32(ordered && a > b); }
        case OP_LESS_OR_EQUAL: { return u32(ordered && a <= b); }
        case OP_GREATER_OR_EQUAL: { return u32(ordered && a >= b); }
        // By its bits: a device may take a subnormal number for 0.
        case OP_PRELU: { return bitcast<u32>(select(a * b, a, bitcast<i32>(a) > 0)); }
        default: { return 0u; }
    }
}

// Division by 0 gives 0; division by -1 is separate because the smallest integer overflows.
fn divide(a: i32, b: i32) -> i32 {
    if b == 0 { return 0; }
    if b == -1 { return -a; }
    return a / b;
}

fn remainder(a: i32, b: i32) -> i32 {
    if b == 0 || b == -1 { return 0; }
    return a - a / b * b;
}

fn floor_remainder(a: i32, b: i32) -> i32 {
    let r = remainder(a, b);
    return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}

// By repeated squaring; a negative power truncates toward 0.
fn integer_power(base: i32, exponent: i32) -> i32 {
    if exponent < 0 {
        if base == 1 { return 1; }
        if base == -1 { return 1 - 2 * (exponent & 1); }
        return 0;
    }
    var y = 1;
    var a = base;
    for (var b = exponent; b > 0; b >>= 1u) {
        if (b & 1) == 1 { y *= a; }
        a *= a;
    }
    return y;
}

fn combine_i32(a: i32, b: i32) -> u32 {
    switch OP {
        case OP_ADD: { return bitcast<u32>(a + b); }
        case OP_SUB: { return bitcast<u32>(a - b); }
        case OP_MUL: { return bitcast<u32>(a * b); }
        case OP_DIV: { return bitcast<u32>(divide(a, b)); }
        case OP_MAXIMUM: { return bitcast<u32>(max(a, b)); }
        case OP_MINIMUM: { return bitcast<u32>(min(a, b)); }
        case OP_POW: { return bitcast<u32>(integer_power(a, b)); }
        case OP_MOD: { return bitcast<u32>(floor_remainder(a, b)); }
        case OP_FMOD: { return bitcast<u32>(remainder(a, b)); }
        case OP_EQUAL: { return u32(a == b); }
        case OP_LESS: { return u32(a < b); }
        case OP_GREATER: { return u32(a > b); }
        case OP_LESS_OR_EQUAL: { return u32(a <= b); }
        case OP_GREATER_OR_EQUAL: { return u32(a >= b); }
        case OP_AND: { return bitcast<u32>(a & b); }
        case OP_OR: { return bitcast<u32>(a | b); }
        case OP_XOR: { return bitcast<u32>(a ^ b); }
        case OP_SHIFT_LEFT: { return select(bitcast<u32>(a) << (bitcast<u32>(b) & 31u), 0u, bitcast<u32>(b) > 31u); }
        case OP_SHIFT_RIGHT: { return bitcast<u32>(a >> min(bitcast<u32>(b), 31u)); }
        default: { return 0u; }
    }
}

// What differs for unsigned integers.
fn combine_u32(a: u32, b: u32) -> u32 {
    switch OP {
        case OP_DIV: { return select(a / max(b, 1u), 0u, b == 0u); }
        case OP_MAXIMUM: { return max(a, b); }
        case OP_MINIMUM: { return min(a, b); }
        case OP_POW: {
            var y = 1u;
            var base = a;
            for (var n = b; n > 0u; n >>= 1u) {
                if (n & 1u) == 1u { y *= base; }
                base *= base;
            }
            return y;
        }
        case OP_MOD, OP_FMOD: { return select(a % max(b, 1u), 0u, b == 0u); }
        case OP_SHIFT_RIGHT: { return select(a >> (b & 31u), 0u, b > 31u); }
        case OP_LESS: { return u32(a < b); }
        case OP_GREATER: { return u32(a > b); }
        case OP_LESS_OR_EQUAL: { return u32(a <= b); }
        case OP_GREATER_OR_EQUAL: { return u32(a >= b); }
        default: { return combine_i32(bitcast<i32>(a), bitcast<i32>(b)); }
    }
}

fn combine(a: u32, b: u32) -> u32 {
    if TYPE == TYPE_F32 { return combine_f32(bitcast<f32>(a), bitcast<f32>(b)); }
    if TYPE == TYPE_U32 { return combine_u32(a, b); }
    return narrow(combine_i32(bitcast<i32>(a), bitcast<i32>(b)), TYPE);
}

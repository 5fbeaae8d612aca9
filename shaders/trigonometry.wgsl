// y[i] = f(x[i]), f being FUNCTION; any shape, both row-major and seen as vec4s. Domains and signs are decided by the bits: WGSL
// may assume that there are no NaNs and infinities. The functions themselves (shared/trigonometry) are of magnitudes.
// One invocation: one vec4. Values are written by their bits.

struct Params { count4: u32, zero: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

override FUNCTION: u32 = TRIGONOMETRIC_TAN;

const ONE = 0x3f800000u;
const INFINITE = 0x7f800000u;
const NOT_A_NUMBER = 0x7fc00000u;
// 89.415985, of which f32 still has sinh and cosh
const HYPERBOLIC_END = 0x42b2d4fcu;
// 1e30: the angle of larger ones is pi / 2, too
const STEEP_END = 0x7149f2cau;

// The bits of the value; `bits` are those of the magnitude of x.
fn value(bits: u32, negative: bool) -> u32 {
    let a = of_bits(bits);
    switch FUNCTION {
        case TRIGONOMETRIC_TAN: {
            if bits == INFINITE { return NOT_A_NUMBER; }
            return bitcast<u32>(tangent(a, p.zero));
        }
        case TRIGONOMETRIC_ASIN: {
            if bits > ONE { return NOT_A_NUMBER; }
            return bitcast<u32>(angle(a, other_side(a)));
        }
        case TRIGONOMETRIC_ACOS: {
            if bits > ONE { return NOT_A_NUMBER; }
            let acute = angle(other_side(a), a);
            return bitcast<u32>(select(acute, 3.1415927 - acute, negative));
        }
        case TRIGONOMETRIC_ATAN: {
            return bitcast<u32>(angle(of_bits(min(bits, STEEP_END)), 1.0));
        }
        case TRIGONOMETRIC_SINH: {
            if bits > HYPERBOLIC_END { return INFINITE; }
            return bitcast<u32>(sinh_positive(a));
        }
        case TRIGONOMETRIC_COSH: {
            if bits > HYPERBOLIC_END { return INFINITE; }
            return bitcast<u32>(cosh_positive(a));
        }
        case TRIGONOMETRIC_ASINH: {
            if bits == INFINITE { return INFINITE; }
            return bitcast<u32>(asinh_positive(a));
        }
        case TRIGONOMETRIC_ACOSH: {
            if negative || bits < ONE { return NOT_A_NUMBER; }
            if bits == INFINITE { return INFINITE; }
            return bitcast<u32>(acosh_above(a));
        }
        default: {
            if bits > ONE { return NOT_A_NUMBER; }
            if bits == ONE { return INFINITE; }
            return bitcast<u32>(atanh_positive(a));
        }
    }
}

// All but these are odd.
fn is_odd() -> bool {
    return FUNCTION != TRIGONOMETRIC_ACOS && FUNCTION != TRIGONOMETRIC_COSH && FUNCTION != TRIGONOMETRIC_ACOSH;
}

fn signed(x: f32) -> u32 {
    let magnitude = bitcast<u32>(x) & 0x7fffffffu;
    let sign = bitcast<u32>(x) ^ magnitude;
    if magnitude > INFINITE { return NOT_A_NUMBER; }
    return value(magnitude, sign != 0u) ^ select(0u, sign, is_odd());
}

fn compute(i: u32) {
    if i >= p.count4 { return; }
    let v = x[i];
    y[i] = vec4<u32>(signed(v.x), signed(v.y), signed(v.z), signed(v.w));
}

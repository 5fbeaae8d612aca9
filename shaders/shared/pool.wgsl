
// --- shared/pool.wgsl ---
// The state of a pooling of four windows at a time, and its result: with MAX the maximum, NaN if a tap
// is NaN; else the mean for POWER = 0, or the norm of that power, with SIGNED of x and not |x|. Without p.divisor the sum of a
// norm is scaled up to that of a full window.

struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32,
    sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    lowest: f32, divisor: u32, count_y0: u32, count_y1: u32, count_x0: u32, count_x1: u32,
}

override KH: u32 = 1u;
override KW: u32 = 1u;
override INSIDE: bool = false;
override MAX: bool = false;
override POWER: u32 = 0u;
override SIGNED: bool = false;

// value: the maximum, or the sum. bits: with MAX the largest of all taps' bits without the sign, greater than infinity's if one
// is a NaN; comparisons of floats may assume that there are no NaNs.
struct Pool { value: vec4<f32>, bits: vec4<u32> }

fn pool_start() -> Pool {
    return Pool(select(vec4<f32>(0.0), vec4<f32>(p.lowest), MAX), vec4<u32>(0u));
}

// Adds tap v to each window that has it.
fn pool_add(s: Pool, v: vec4<f32>, ok: vec4<bool>) -> Pool {
    if MAX {
        let u = select(vec4<f32>(p.lowest), v, ok);
        return Pool(max(s.value, u), max(s.bits, bitcast<vec4<u32>>(u) & vec4<u32>(0x7fffffffu)));
    }
    return Pool(s.value + select(vec4<f32>(0.0), pool_term(v), ok), s.bits);
}

fn pool_term(v: vec4<f32>) -> vec4<f32> {
    if POWER == 0u { return v; }
    var a = v;
    if !SIGNED { a = abs(v); }
    var t = a;
    for (var k = 1u; k < POWER; k++) { t *= a; }
    return t;
}

// The number of taps of a window along an axis that count in the divisor of the mean: those between count_y0 and count_y1,
// count_x0 and count_x1 of the padded image. Not used if p.divisor is set.
fn pool_rows(start_y: u32) -> u32 {
    if MAX || INSIDE || p.divisor > 0u { return 0u; }
    return taps_before(p.count_y1, start_y, p.dy, KH) - taps_before(p.count_y0, start_y, p.dy, KH);
}

fn pool_columns(start_x: vec4<u32>) -> vec4<u32> {
    if MAX || INSIDE || p.divisor > 0u { return vec4<u32>(0u); }
    return taps_before4(p.count_x1, start_x, p.dx, KW) - taps_before4(p.count_x0, start_x, p.dx, KW);
}

fn pool_end(s: Pool, rows: u32, columns: vec4<u32>) -> vec4<f32> {
    if MAX { return select(s.value, bitcast<vec4<f32>>(s.bits), s.bits > vec4<u32>(0x7f800000u)); }
    let counted = vec4<f32>(max(columns * rows, vec4<u32>(1u)));
    if POWER == 0u { return s.value / select(counted, vec4<f32>(f32(p.divisor)), INSIDE || p.divisor > 0u); }
    var sum = s.value;
    if !INSIDE {
        if p.divisor == 0u { sum *= vec4<f32>(f32(KH * KW)) / counted; }
    }
    return pool_root(sum);
}

fn pool_root(sum: vec4<f32>) -> vec4<f32> {
    switch POWER {
        case 1u: { return sum; }
        case 2u: { return sqrt(sum); }
        default: {
            let root = pow(abs(sum), vec4<f32>(1.0 / f32(max(POWER, 1u))));
            let zero_too = select(root, vec4<f32>(0.0), sum == vec4<f32>(0.0));
            // By its bits, since WGSL guarantees nothing here: NaN for a NaN and below 0, but infinity for its negative.
            let bits = bitcast<vec4<u32>>(sum);
            let nan = bitcast<vec4<f32>>(bits | vec4<u32>(0x7fc00000u));
            let is_nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
            return select(zero_too, nan, is_nan | ((sum < vec4<f32>(0.0)) & (bits != vec4<u32>(0xff800000u))));
        }
    }
}


// --- shared/softmax.wgsl ---
// The steps of a softmax. `lowest` is minus infinity: WGSL lets an implementation assume that neither it nor
// `nan` occurs, so both are recognised by their bits.

struct Params { outer: u32, n: u32, inner: u32, lowest: f32, nan: f32, zero: u32 }

override LOG: bool = false;

fn larger(a: f32, b: f32) -> f32 {
    if is_nan(a) { return a; }
    if is_nan(b) { return b; }
    return max(a, b);
}

fn is_lowest(v: f32) -> bool {
    return bitcast<u32>(v) == 0xff800000u;
}

fn is_finite(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}

fn term(v: f32, m: f32) -> f32 {
    if is_lowest(v) || !is_finite(m) { return 0.0; }
    return exp(v - m);
}

fn share(v: f32, m: f32, sum: f32) -> f32 {
    if !is_finite(m) { return p.nan; }
    if LOG {
        if is_lowest(v) { return p.lowest; }
        return apart(v, m, p.zero) - log(sum);
    }
    return term(v, m) / sum;
}

// quotient, root, logarithm, logarithm2: of all numbers. WGSL promises a / b for 2^-126 <= |b| <= 2^126 only, and devices take
// subnormal numbers for 0: there 1e-38 / 1e-38 and 3e38 / 3e38 are infinite, NaN or 0. So numbers are brought into the middle of the
// range by their bits, whose arithmetic no device changes.

// x = number 2^exponent
struct Scaled { number: f32, exponent: i32 }

fn scaled(x: f32) -> Scaled {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0u && magnitude < 0x00800000u {
        // A subnormal number is an integer times 2^-149.
        let lifted = bitcast<u32>(f32(magnitude)) - (63u << 23u);
        return Scaled(of_bits((bits & 0x80000000u) | lifted), -86);
    }
    if magnitude >= 0x7e800000u && magnitude < 0x7f800000u { return Scaled(of_bits(bits - (86u << 23u)), 86); }
    return Scaled(x, 0);
}

// y 2^shift; what would be subnormal is 0.
fn shifted(y: f32, shift: i32) -> f32 {
    let bits = bitcast<u32>(y);
    let exponent = i32((bits >> 23u) & 0xffu);
    if shift == 0 || exponent == 0xff { return y; }
    let sign = bits & 0x80000000u;
    if exponent == 0 || exponent + shift <= 0 { return of_bits(sign); }
    if exponent + shift >= 0xff { return of_bits(sign | 0x7f800000u); }
    return of_bits(bitcast<u32>(bitcast<i32>(bits) + shift * 0x00800000));
}

fn quotient(a: f32, b: f32) -> f32 {
    let n = scaled(a);
    let d = scaled(b);
    return shifted(n.number / d.number, n.exponent - d.exponent);
}

fn root(x: f32) -> f32 {
    let s = scaled(x);
    return shifted(sqrt(s.number), s.exponent / 2);
}

// WGSL leaves open what log gives at 0, below it, and for a NaN.
fn logarithm(x: f32) -> f32 {
    let s = scaled(x);
    let special = select(0x7fc00000u, 0xff800000u, s.number == 0.0);
    let y = log(s.number) + f32(s.exponent) * 0.6931471805599453;
    return select(of_bits(special), y, s.number > 0.0 && !is_nan(x));
}

// Of a number above 0.
fn logarithm2(x: f32) -> f32 {
    let s = scaled(x);
    return log2(s.number) + f32(s.exponent);
}


// --- shared/functions.wgsl ---
// Functions of one number. The formulas are chosen so that no intermediate overflows and small results keep their relative
// accuracy; NaN gives NaN.

fn nan_passes(x: f32, y: f32) -> f32 {
    return select(y, x, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);
}

// e^x - 1: the Taylor series near 0, where the difference would cancel.
fn expm1(x: f32) -> f32 {
    let series = x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0))))));
    return nan_passes(x, select(exp(x) - 1.0, series, abs(x) < 0.3));
}

// log(1 + e) for e in [0, 1] as 2 atanh(e / (2 + e)), whose series converges fast: its argument is at most 1/3. `s` is twice that, so
// that it is no subnormal number where e is none.
fn log1p01(e: f32) -> f32 {
    let s = e / (1.0 + 0.5 * e);
    let q = 0.25 * s * s;
    return s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0 + q * (1.0 / 13.0 + q / 15.0)))))));
}

fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn tanh_accurate(x: f32) -> f32 {
    let q = x * x;
    let series = x + x * q * (-1.0 / 3.0 + q * (2.0 / 15.0 + q * (-17.0 / 315.0 + q * (62.0 / 2835.0 - q * (1382.0 / 155925.0)))));
    let far = sign(x) * (1.0 - 2.0 / (1.0 + exp(2.0 * min(abs(x), 20.0))));
    return select(far, series, abs(x) < 0.3);
}

// 1 - erf(a) for a >= 0: Abramowitz and Stegun 7.1.26, absolute error 1.5e-7.
fn erfc_positive(a: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return poly * exp(-min(a * a, 200.0));
}

fn erf_accurate(z: f32) -> f32 {
    let q = z * z;
    let series = 1.1283791671 * z * (1.0 + q * (-1.0 / 3.0 + q * (1.0 / 10.0 + q * (-1.0 / 42.0 + q * (1.0 / 216.0 + q * (-1.0 / 1320.0 + q / 9360.0))))));
    return select(sign(z) * (1.0 - erfc_positive(abs(z))), series, abs(z) < 0.5);
}

fn gelu(x: f32) -> f32 {
    let z = x * 0.7071067811865476;
    let half = select(1.0 - 0.5 * erfc_positive(abs(z)), 0.5 * erfc_positive(abs(z)), z < 0.0);
    return x * select(half, 0.5 + 0.5 * erf_accurate(z), abs(z) < 0.5);
}

// e^-a for a >= 0 may be subnormal, which a device may take for 0, while x e^-a is not. So beyond FAR e^-a is computed 2^123 times as
// large, and `small` divides the product: by its exponent, since a compiler may move a factor of 2^-123 to the exponential.
const FAR = 86.0;
// 123 log 2
const SHIFT = 85.2571036388;

struct Exponential { e: f32, scaled: f32 }

fn exponential(a: f32) -> Exponential {
    let is_far = a > FAR;
    let scaled = exp(select(-a, SHIFT - a, is_far));
    return Exponential(select(scaled, 0.0, is_far), scaled);
}

// y 2^-123 beyond FAR, or y; what would be subnormal is 0.
fn small(y: f32, a: f32) -> f32 {
    let bits = bitcast<u32>(y);
    let exponent = bits & 0x7f800000u;
    let divided = select(bits & 0x80000000u, bits - (123u << 23u), exponent > (123u << 23u));
    return select(y, bitcast<f32>(divided), a > FAR && exponent < 0x7f800000u);
}

// x sigmoid(z)
fn x_sigmoid(x: f32, z: f32) -> f32 {
    let a = abs(z);
    let v = exponential(a);
    let y = select(x * v.scaled, x, z >= 0.0) / (1.0 + v.e);
    return select(small(y, a), y, z >= 0.0);
}

// x ((1 + e)^2 - 1) / ((1 + e)^2 + 1) with e = e^x, divided through by e^2x where x > 0.
fn mish(x: f32) -> f32 {
    let a = abs(x);
    let v = exponential(a);
    let e = v.e;
    let positive = x * ((1.0 + 2.0 * e) / (1.0 + 2.0 * e + 2.0 * e * e));
    let negative = x * v.scaled * ((e + 2.0) / (e * (e + 2.0) + 2.0));
    return select(positive, small(negative, a), x < 0.0);
}

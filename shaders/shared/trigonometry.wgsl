// Functions of a magnitude a >= 0. No intermediate overflows, and small results keep their relative accuracy: WGSL's own
// functions promise 2^-11, or nothing.

// tan(pi / 8)
const EIGHTH = 0.41421356;
const LOG_2 = 0.6931472;
// Beyond it a^2 + 1 is a^2, but for 2^-26.
const LARGE = 8192.0;

// Sine by cosine, or after an odd number of quarter turns the negative inverse. Beyond 2^13 turns the divisor may be 0.
fn tangent(a: f32, zero: u32) -> f32 {
    let t = turned(min(a, 1e9), zero);
    let is_odd = (t.quarters & 1) == 1;
    let divisor = select(t.even, -t.odd, is_odd);
    return select(t.odd, t.even, is_odd) / select(divisor, 1e-30, divisor == 0.0);
}

// The angle of sides y, x >= 0, y across from it: an eighth turn on either side of 0, pi/4 or pi/2 is left to the polynomial of
// Cephes's atanf.c.
fn angle(y: f32, x: f32) -> f32 {
    let is_flat = y < EIGHTH * x;
    let is_steep = x < EIGHTH * y;
    let start = select(select(0.7853982, 1.5707964, is_steep), 0.0, is_flat);
    let t = select(select(y - x, -x, is_steep), y, is_flat) / select(select(y + x, y, is_steep), x, is_flat);
    let s = t * t;
    return start + (t + t * s * (((8.05374449538e-2 * s - 1.38776856032e-1) * s + 1.99777106478e-1) * s - 3.33329491539e-1));
}

// The cosine of an angle whose sine is a <= 1, and the other way round.
fn other_side(a: f32) -> f32 {
    return sqrt((1.0 - a) * (1.0 + a));
}

fn sinh_positive(a: f32) -> f32 {
    let q = a * a;
    let series = a + a * q * (1.0 / 6.0 + q * (1.0 / 120.0 + q * (1.0 / 5040.0 + q * (1.0 / 362880.0 + q * (1.0 / 39916800.0)))));
    return select(exp(a - LOG_2) - 0.5 * exp(-a), series, a < 1.0);
}

fn cosh_positive(a: f32) -> f32 {
    return exp(a - LOG_2) + 0.5 * exp(-a);
}

fn log1p(z: f32) -> f32 {
    return select(log(1.0 + z), log1p01(min(z, 1.0)), z <= 1.0);
}

fn asinh_positive(a: f32) -> f32 {
    let q = min(a, LARGE) * min(a, LARGE);
    return select(log1p(a + q / (1.0 + sqrt(1.0 + q))), log(max(a, LARGE)) + LOG_2, a > LARGE);
}

// Of a >= 1.
fn acosh_above(a: f32) -> f32 {
    let t = min(a, LARGE) - 1.0;
    return select(log1p(t + sqrt(t * (t + 2.0))), log(max(a, LARGE)) + LOG_2, a > LARGE);
}

// Of a < 1.
fn atanh_positive(a: f32) -> f32 {
    return 0.5 * log1p(2.0 * a / (1.0 - a));
}

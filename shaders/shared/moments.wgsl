
// --- shared/moments.wgsl ---

// Values of a strip: ops::normalization.
const STRIP = 4u;

// The moments of a set: its size, its sum, the sum of the squared deviations from its mean. A
// Value is one number, or a vec4 for four sets of one size.
struct Moments { n: f32, sum: Value, m2: Value }

const NOTHING = Moments(0.0, Value(), Value());

// The moments of a union of disjoint sets: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
// sample variances (1979). An empty set changes nothing: its weight is 0. No branch, so that lanes do not diverge.
fn merge(a: Moments, b: Moments) -> Moments {
    let n = a.n + b.n;
    let gap = a.sum * (1.0 / max(a.n, 1.0)) - b.sum * (1.0 / max(b.n, 1.0));
    return Moments(n, a.sum + b.sum, a.m2 + b.m2 + gap * gap * (a.n * (b.n / max(n, 1.0))));
}

// The moments of the first n of four values, n >= 1: the mean first, then the deviations from it, all in registers.
fn moments_of(n: u32, v0: Value, v1: Value, v2: Value, v3: Value) -> Moments {
    let sum = v0 + select(Value(), v1, n > 1u) + select(Value(), v2, n > 2u) + select(Value(), v3, n > 3u);
    let mean = sum * (1.0 / f32(n));
    let d0 = v0 - mean;
    let d1 = select(Value(), v1 - mean, n > 1u);
    let d2 = select(Value(), v2 - mean, n > 2u);
    let d3 = select(Value(), v3 - mean, n > 3u);
    return Moments(f32(n), sum, d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3);
}

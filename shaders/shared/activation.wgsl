
// --- shared/activation.wgsl ---
// activate(x, a, b, c): the unary function ACT (attr::Activation) with its parameters. NaN gives NaN, but 0 of
// ACT_THRESHOLDED_RELU and the lowest step of ACT_FAKE_QUANTIZE.

override ACT: u32 = ACT_IDENTITY;

fn activate(x: f32, a: f32, b: f32, c: f32) -> f32 {
    switch ACT {
        case ACT_RELU: { return nan_passes(x, max(x, 0.0)); }
        case ACT_CLAMP: { return nan_passes(x, min(max(x, a), b)); }
        case ACT_LEAKY_RELU: { return select(x * a, x, x > 0.0); }
        case ACT_ELU, ACT_SELU: { return b * select(a * expm1(x), x, x > 0.0); }
        case ACT_CELU: { return select(a * expm1(x / a), x, x > 0.0); }
        case ACT_GELU: { return gelu(x); }
        case ACT_GELU_TANH: { return x_sigmoid(x, 1.5957691216 * (x + 0.044715 * x * x * x)); }
        case ACT_SIGMOID: { return sigmoid(x); }
        case ACT_TANH: { return nan_passes(x, tanh_accurate(x)); }
        case ACT_HARD_SIGMOID: { return nan_passes(x, clamp(a * x + b, 0.0, 1.0)); }
        case ACT_AFFINE: { return a * x + b; }
        case ACT_SCALED_TANH: { return nan_passes(x, a * tanh_accurate(b * x)); }
        case ACT_HARD_SWISH: { return x * (clamp(x + 3.0, 0.0, 6.0) / 6.0); }
        case ACT_SWISH: { return x_sigmoid(x, a * x); }
        case ACT_MISH: { return mish(x); }
        case ACT_SOFTPLUS: {
            let z = a * x;
            return select((max(z, 0.0) + log1p01(exp(-abs(z)))) / a, x, z > b);
        }
        case ACT_SOFTSIGN: { return quotient(x, 1.0 + abs(x)); }
        case ACT_THRESHOLD: { return nan_passes(x, select(b, x, x > a)); }
        case ACT_EXP: { return nan_passes(x, exp(x)); }
        case ACT_LOG: { return logarithm(x); }
        case ACT_SQRT: { return root(x); }
        case ACT_RECIPROCAL: { return quotient(1.0, x); }
        case ACT_ABS: { return abs(x); }
        case ACT_NEG: { return -x; }
        case ACT_FLOOR: { return floor(x); }
        case ACT_CEIL: { return ceil(x); }
        case ACT_ROUND: { return round(x); }
        case ACT_SIGN: { return nan_passes(x, sign(x)); }
        case ACT_ERF: { return nan_passes(x, erf_accurate(x)); }
        case ACT_THRESHOLDED_RELU: { return select(0.0, x, x > a && !is_nan(x)); }
        case ACT_FAKE_QUANTIZE: { return a * min(select(max(round(quotient(x, a)), b), b, is_nan(x)), c); }
        default: { return x; }
    }
}

fn activate4(v: vec4<f32>, a: f32, b: f32, c: f32) -> vec4<f32> {
    return vec4<f32>(activate(v.x, a, b, c), activate(v.y, a, b, c), activate(v.z, a, b, c), activate(v.w, a, b, c));
}

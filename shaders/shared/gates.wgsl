
// --- shared/gates.wgsl ---
// gate_function(act, x, a, b): the unary function `act` (attr::Activation) with its parameters, of those that ONNX allows in a
// recurrent layer. Such a layer has up to three, so `act` is no override itself: the caller passes one, and the driver resolves
// the switch.

fn gate_function(act: u32, x: f32, a: f32, b: f32) -> f32 {
    switch act {
        case ACT_SIGMOID: { return sigmoid(x); }
        case ACT_TANH: { return nan_passes(x, tanh_accurate(x)); }
        case ACT_RELU: { return nan_passes(x, max(x, 0.0)); }
        case ACT_LEAKY_RELU: { return select(x * a, x, x > 0.0); }
        case ACT_THRESHOLDED_RELU: { return select(0.0, x, x > a && !is_nan(x)); }
        case ACT_HARD_SIGMOID: { return nan_passes(x, clamp(a * x + b, 0.0, 1.0)); }
        case ACT_AFFINE: { return a * x + b; }
        case ACT_SCALED_TANH: { return nan_passes(x, a * tanh_accurate(b * x)); }
        case ACT_ELU: { return select(a * expm1(x), x, x > 0.0); }
        case ACT_SOFTSIGN: { return quotient(x, 1.0 + abs(x)); }
        case ACT_SOFTPLUS: { return max(x, 0.0) + log1p01(exp(-abs(x))); }
        default: { return x; }
    }
}

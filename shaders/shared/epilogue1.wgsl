
// --- shared/epilogue1.wgsl ---
// finish: bias, residual and activation of one row-major output, before it is stored.

@group(1) @binding(2) var<storage, read> residual: array<f32>;

// acc: the sum; oc: its channel; i: its index in the output (and the residual).
fn finish(acc: f32, oc: u32, i: u32) -> f32 {
    var v = acc;
    if HAS_BIAS { v += bias[oc]; }
    if HAS_RESIDUAL { v += residual[i]; }
    if HAS_SLOPE {
        let s = slope[min(oc, epilogue.slopes - 1u)];
        return select(v * s, v, v > 0.0);
    }
    return activate(v, epilogue.act_a, epilogue.act_b, epilogue.act_c);
}

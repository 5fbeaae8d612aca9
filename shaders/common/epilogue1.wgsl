
// --- common/epilogue1.wgsl ---
// finish: bias, residual and activation of one row-major output, before it is stored.
// The kernel declares `bias`, `residual` and `slope: array<f32>` as its read-only bindings after its own inputs.

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;
override HAS_SLOPE: bool = false;

// acc: the sum; oc: its channel; i: its index in the output (and the residual).
fn finish(acc: f32, oc: u32, i: u32) -> f32 {
    var v = acc;
    if HAS_BIAS { v += bias[oc]; }
    if HAS_RESIDUAL { v += residual[i]; }
    if HAS_SLOPE {
        let s = slope[min(oc, p.slopes - 1u)];
        return select(v * s, v, v > 0.0);
    }
    return activate(v);
}

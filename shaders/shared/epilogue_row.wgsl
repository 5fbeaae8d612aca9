
// --- shared/epilogue_row.wgsl ---
// finish_row: bias, residual and activation of four consecutive elements of a channel of a row-major output, before they are
// stored. The kernel declares the residual and `residual4(i)`: its elements i to i + 3.

// acc: the sums; oc: their channel; i: the index of the first in the output and the residual.
fn finish_row(acc: vec4<f32>, oc: u32, i: u32) -> vec4<f32> {
    var v = acc;
    if HAS_BIAS { v += bias[oc]; }
    if HAS_RESIDUAL { v += residual4(i); }
    if HAS_SLOPE { return select(v * slope[min(oc, epilogue.slopes - 1u)], v, v > vec4<f32>(0.0)); }
    return activate4(v, epilogue.act_a, epilogue.act_b, epilogue.act_c);
}

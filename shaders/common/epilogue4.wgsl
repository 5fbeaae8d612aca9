
// --- common/epilogue4.wgsl ---
// finish4: bias, residual and activation of four channels of one channels-last output, before it is stored.
// The kernel declares `bias: array<f32>`, `residual: array<vec4<..>>` and `slope: array<f32>` as its read-only
// bindings after its own inputs; its params hold `oc` (channels), `slopes` (1 or oc), `y_pitch` and `y_first`.

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;
override HAS_SLOPE: bool = false;

// The index of block ob of a pixel in y, which may be the blocks from y_first on of a tensor with y_pitch blocks per pixel.
fn y_at(pixel: u32, ob: u32) -> u32 {
    return pixel * p.y_pitch + p.y_first + ob;
}

// acc: the sums; ob: the block of four channels; i: the index in the residual. Padding lanes give 0.
fn finish4(acc: vec4<f32>, ob: u32, i: u32) -> vec4<f32> {
    let lanes = vec4<u32>(0u, 1u, 2u, 3u) + ob * 4u;
    let at = min(lanes, vec4<u32>(p.oc - 1u));
    var v = acc;
    if HAS_BIAS { v += vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]); }
    if HAS_RESIDUAL { v += vec4<f32>(residual[i]); }
    if HAS_SLOPE {
        let last = vec4<u32>(p.slopes - 1u);
        let s = min(at, last);
        v = select(v * vec4<f32>(slope[s.x], slope[s.y], slope[s.z], slope[s.w]), v, v > vec4<f32>(0.0));
    } else {
        v = activate4(v);
    }
    return select(vec4<f32>(0.0), v, lanes < vec4<u32>(p.oc));
}

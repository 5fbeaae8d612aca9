
// --- shared/epilogue4.wgsl ---
// finish4: bias, residual and activation of four channels of one channels-last output, before it is stored.

@group(1) @binding(2) var<storage, read> residual: array<vec4<Stored>>;

// The index of block ob of a pixel in y, which may be the blocks from y_first on of a tensor with y_pitch blocks per pixel.
fn y_at(pixel: u32, ob: u32) -> u32 {
    return pixel * epilogue.y_pitch + epilogue.y_first + ob;
}

// acc: the sums; ob: the block of four channels; i: the index in the residual. Padding lanes give 0.
fn finish4(acc: vec4<f32>, ob: u32, i: u32) -> vec4<f32> {
    let lanes = vec4<u32>(0u, 1u, 2u, 3u) + ob * 4u;
    let at = min(lanes, vec4<u32>(epilogue.channels - 1u));
    var v = acc;
    if HAS_BIAS { v += vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]); }
    if HAS_RESIDUAL { v += vec4<f32>(residual[i]); }
    if HAS_SLOPE {
        let last = vec4<u32>(epilogue.slopes - 1u);
        let s = min(at, last);
        v = select(v * vec4<f32>(slope[s.x], slope[s.y], slope[s.z], slope[s.w]), v, v > vec4<f32>(0.0));
    } else {
        v = activate4(v, epilogue.act_a, epilogue.act_b, epilogue.act_c);
    }
    return select(vec4<f32>(0.0), v, lanes < vec4<u32>(epilogue.channels));
}

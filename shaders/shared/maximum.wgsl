
// --- shared/maximum.wgsl ---
// The larger of two, lane by lane; NaN if either is, recognised by its bits.
fn maximum4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    let nan_a = (bitcast<vec4<u32>>(a) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
    let nan_b = (bitcast<vec4<u32>>(b) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
    return select(a, b, nan_b | (!nan_a & (b > a)));
}

fn maximum(a: f32, b: f32) -> f32 {
    return maximum4(vec4<f32>(a), vec4<f32>(b)).x;
}

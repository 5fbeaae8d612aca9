
// --- shared/nan.wgsl ---
// By its bits: WGSL lets a comparison assume that there are no NaNs.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}


// --- shared/nan.wgsl ---
// By its bits: WGSL lets a comparison assume that there are no NaNs.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn of_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}


// --- shared/nan.wgsl ---
// By its bits: WGSL lets a comparison assume that there are no NaNs.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn of_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

// WGSL leaves open what log gives at 0, below it, and for a NaN. A subnormal x may be taken for 0.
fn logarithm(x: f32) -> f32 {
    let special = select(0x7fc00000u, 0xff800000u, x == 0.0);
    return select(of_bits(special), log(x), x > 0.0 && !is_nan(x));
}

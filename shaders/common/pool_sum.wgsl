
// --- common/pool_sum.wgsl ---
// What a sum pooling adds up and what it makes of the sum: the mean for POWER = 0, else the norm of that power.

override POWER: u32 = 0u;

fn pool_term(v: vec4<f32>) -> vec4<f32> {
    if POWER == 0u { return v; }
    let a = abs(v);
    var t = a;
    for (var k = 1u; k < POWER; k++) { t *= a; }
    return t;
}

fn pool_result(sum: vec4<f32>, divisor: vec4<f32>) -> vec4<f32> {
    switch POWER {
        case 0u: { return sum / divisor; }
        case 1u: { return sum; }
        case 2u: { return sqrt(sum); }
        default: { return select(pow(sum, vec4<f32>(1.0 / f32(max(POWER, 1u)))), vec4<f32>(0.0), sum == vec4<f32>(0.0)); }
    }
}

// The numbers of taps that the means of four neighbouring windows are divided by: p.divisor, or if that is 0 those in the
// part of the padded image that counts; at least 1.
fn pool_divisor(start_y: u32, start_x: vec4<u32>) -> vec4<f32> {
    if INSIDE || p.divisor > 0u { return vec4<f32>(f32(p.divisor)); }
    let rows = taps_before(p.count_y1, start_y, p.dy, KH) - taps_before(p.count_y0, start_y, p.dy, KH);
    let columns = taps_before4(p.count_x1, start_x, p.dx, KW) - taps_before4(p.count_x0, start_x, p.dx, KW);
    return vec4<f32>(max(columns * rows, vec4<u32>(1u)));
}

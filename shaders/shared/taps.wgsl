
// --- shared/taps.wgsl ---
// How many taps of a window lie before `limit`; both `start` (of the window) and `limit` are positions in the padded
// image, so none is negative. The taps inside the image are those from taps_before(pad) to taps_before(pad + extent).
fn taps_before(limit: u32, start: u32, step: u32, taps: u32) -> u32 {
    return min(taps, (max(limit, start) - start + step - 1u) / step);
}

fn taps_before4(limit: u32, start: vec4<u32>, step: u32, taps: u32) -> vec4<u32> {
    return min(vec4<u32>(taps), (max(vec4<u32>(limit), start) - start + (step - 1u)) / step);
}

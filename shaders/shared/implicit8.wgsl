
// --- shared/implicit8.wgsl ---
// The operands of an implicit product for shared/rows8.wgsl: x channels-last, its rows are windows
// of an image; w packed as 4x4 blocks.

// Step c of the row that begins at `at`; 0 outside the image, where `at` is 0xffffffff.
fn row4(at: u32, c: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(x[select(at + c, 0u, at == 0xffffffffu)]), at != 0xffffffffu);
}

// The weights of a tap begin at `first`; blocks beyond the last repeat it.
fn block4(first: u32, c: u32, ob: u32) -> mat4x4<f32> {
    return mat4x4<f32>(w[first + c * p.oc4 + min(ob, p.oc4 - 1u)]);
}

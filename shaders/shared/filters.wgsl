
// --- shared/filters.wgsl ---
// Weights of a depthwise convolution: a vec4 for one tap of four channels, [tap, oc4].

@group(0) @binding(2) var<storage, read> w: array<vec4<Stored>>;

fn weights_at(at: u32) -> vec4<f32> {
    return vec4<f32>(w[at]);
}

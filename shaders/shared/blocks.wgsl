
// --- shared/blocks.wgsl ---
// Packed weights by 4x4 blocks: column j has four outputs of input j.

@group(0) @binding(2) var<storage, read> w: array<mat4x4<Stored>>;

fn weights_at(at: u32) -> mat4x4<f32> {
    return mat4x4<f32>(w[at]);
}

// The texels of a region (left, top, width, height) as four floats each, row by row. One invocation: one texel.

@group(0) @binding(0) var image: texture_2d<f32>;
@group(0) @binding(1) var<uniform> region: vec4<u32>;
@group(0) @binding(2) var<storage, read_write> pixels: array<vec4<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= region.z || id.y >= region.w { return; }
    pixels[id.y * region.z + id.x] = textureLoad(image, region.xy + id.xy, 0);
}

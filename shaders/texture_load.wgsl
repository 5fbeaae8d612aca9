// pixels[y, x] = the texel (left + x, top + y) of an image, as four floats
//   image: a texture of floats   pixels: [height, width], a vec4 per texel
// One invocation: one texel. No kernel of a plan, since an image is no buffer: `gpu::texture` launches it.

struct Params { left: u32, top: u32, width: u32, height: u32 }

@group(0) @binding(1) var image: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> pixels: array<vec4<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= p.width || id.y >= p.height { return; }
    pixels[id.y * p.width + id.x] = textureLoad(image, vec2(p.left, p.top) + id.xy, 0);
}

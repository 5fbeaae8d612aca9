// pixels[y, x] = the texel (left + x, top + y) of an image, as four floats
//   image: a texture of floats   pixels: [height, width], a vec4 per texel
// One invocation: one texel; a workgroup: 8x8 of them. No kernel of a plan, since an image is no buffer: `gpu::texture` launches it.

struct Params { left: u32, top: u32, width: u32, height: u32 }

@group(0) @binding(1) var image: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> pixels: array<vec4<f32>>;

// gpu::texture::LOAD_TILE
const TILE = 8u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) t: u32) {
    let at = group.xy * TILE + vec2<u32>(t % TILE, t / TILE);
    if at.x >= p.width || at.y >= p.height { return; }
    pixels[at.y * p.width + at.x] = textureLoad(image, vec2(p.left, p.top) + at, 0);
}

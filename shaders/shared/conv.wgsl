
// --- shared/conv.wgsl ---
// A convolution of channels-last images by packed weights: its geometry and its tensors. Channels are counted in blocks of four.
//   x: [n, ih, iw, ic4] of vec4   w: [tap, ic4 of a group, oc4] of 4x4 blocks, a column after the other   y: [n, oh, ow, oc4]

struct Params {
    n: u32, ih: u32, iw: u32, ic4: u32, oh: u32, ow: u32, oc4: u32,
    groups: u32, icg4: u32, ocg4: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    step: u32, share: u32, splits: u32,
}

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Written>>;

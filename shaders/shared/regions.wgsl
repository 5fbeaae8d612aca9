// Regions of images: the tensors of a pooling of regions, what an invocation computes, and the corners of its region.
//   x: [n, ih, iw, c] of Element   boxes: row-major [regions, 4], the corners x1, y1, x2, y2   images: the image of each region
//   y: [regions, oh, ow, c] of Element, padding lanes 0; row-major the channels come before the pixels, and an Element is one
//   value

@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> boxes: array<f32>;
@group(0) @binding(3) var<storage, read> images: array<i32>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;

// Farther out than any image, and so near that pixels are counted in 32 bits.
const FAR: f32 = 536870912.0;

// Which region, bin and block of channels an Element of y is.
struct Place { region: u32, oy: u32, ox: u32, block: u32 }

fn blocks_in_all() -> u32 {
    return select(p.c, blocks_of(p.c), CHANNELS_LAST);
}

fn place_of(i: u32) -> Place {
    let blocks = blocks_in_all();
    let bins = p.oh * p.ow;
    let bin = select(i % bins, i / blocks % bins, CHANNELS_LAST);
    let block = select(i / bins % blocks, i % blocks, CHANNELS_LAST);
    return Place(i / blocks / bins, bin / p.ow, bin % p.ow, block);
}

// Whether a region has no pixels to speak of: of an image that is not there, or with a corner that is not finite.
fn is_lost(region: u32) -> bool {
    let image = images[region];
    var lost = (image < 0) | (image >= i32(p.n));
    for (var k = 0u; k < 4u; k++) {
        lost = lost | ((bitcast<u32>(boxes[region * 4u + k]) & 0x7fffffffu) >= 0x7f800000u);
    }
    return lost;
}

// NaN, but for the padding lanes.
fn lost(block: u32) -> Value {
    if !CHANNELS_LAST { return Value(p.nan); }
    return select(Value(0.0), Value(p.nan), LANE + Word(block * 4u) < Word(p.c));
}

// Corner k of a region in pixels.
fn corner(region: u32, k: u32) -> f32 {
    return clamp(boxes[region * 4u + k] * p.spatial_scale, -FAR, FAR);
}

// The pixel at `at` of the plane of a place.
fn pixel(at: Place, pixel: u32) -> Value {
    let blocks = blocks_in_all();
    let image = u32(clamp(images[at.region], 0, i32(p.n) - 1));
    let size = p.ih * p.iw;
    if CHANNELS_LAST { return Value(x[(image * size + pixel) * blocks + at.block]); }
    return Value(x[(image * blocks + at.block) * size + pixel]);
}

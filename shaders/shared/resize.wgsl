
// --- shared/resize.wgsl ---
// The params of resampling, and the taps of every row [oh, TAPS_Y] and column [ow, TAPS_X] (reference::resize::Axis). CROPPED: an
// output whose first tap is NONE lies outside the image, and is p.outside.

struct Params { n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, outside: f32 }

struct Tap { at: u32, weight: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read> rows: array<Tap>;
@group(0) @binding(3) var<storage, read> columns: array<Tap>;

const NONE: u32 = 0xffffffffu;

override TAPS_Y: u32 = 1u;
override TAPS_X: u32 = 1u;
override CROPPED: bool = false;

// Whether the output at these places of the tables lies outside the image.
fn is_outside(row: u32, column: u32) -> bool {
    return CROPPED && (rows[row].at == NONE || columns[column].at == NONE);
}

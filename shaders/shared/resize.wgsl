
// --- shared/resize.wgsl ---
// The params of resampling. CROPPED: an output whose first tap is NONE lies outside the image, and is p.outside.

struct Params { n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, outside: f32 }

const NONE: u32 = 0xffffffffu;

override CROPPED: bool = false;

// Whether the output at these places of the tables lies outside the image.
fn is_outside(row: u32, column: u32) -> bool {
    if !CROPPED { return false; }
    return rows[row].at == NONE || columns[column].at == NONE;
}

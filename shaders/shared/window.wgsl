
// --- shared/window.wgsl ---
// Windows of KH x KW taps that slide over an image. INSIDE: no window exceeds the image, so nothing is
// tested. Positions are unsigned: those above or left of the image wrap to large numbers.

// A valid row to load from if row iy is outside the image; likewise for columns.
fn image_row(iy: u32) -> u32 {
    if INSIDE { return iy; }
    return min(iy, p.ih - 1u);
}

fn image_columns(ix: vec4<u32>) -> vec4<u32> {
    if INSIDE { return ix; }
    return min(ix, vec4<u32>(p.iw - 1u));
}

// Which of four taps of a row are pixels of the image.
fn inside(iy: u32, ix: vec4<u32>) -> vec4<bool> {
    if INSIDE { return vec4<bool>(true); }
    return vec4<bool>(iy < p.ih) & (ix < vec4<u32>(p.iw));
}


// --- shared/pad.wgsl ---
// 0 a constant, 1 the mirror image without the border, 2 the nearest element, 3 the opposite side.
override MODE: u32 = 0u;

// The element of an axis at position i of the padded axis; outside 0 .. extent - 1 in mode 0.
fn source(i: i32, extent: i32) -> i32 {
    switch MODE {
        case 1u: { return select(select(i, 2 * (extent - 1) - i, i >= extent), -i, i < 0); }
        case 2u: { return clamp(i, 0, extent - 1); }
        case 3u: { return select(select(i, i - extent, i >= extent), i + extent, i < 0); }
        default: { return i; }
    }
}

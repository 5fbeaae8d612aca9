
// --- shared/pad.wgsl ---
// Which values are added (attr::PadMode).
override MODE: u32 = PAD_CONSTANT;

// The element of an axis at position i of the padded axis; outside 0 .. extent - 1 for a constant.
fn source(i: i32, extent: i32) -> i32 {
    switch MODE {
        case PAD_REFLECT: { return select(select(i, 2 * (extent - 1) - i, i >= extent), -i, i < 0); }
        case PAD_REPLICATE: { return clamp(i, 0, extent - 1); }
        case PAD_CIRCULAR: { return select(select(i, i - extent, i >= extent), i + extent, i < 0); }
        default: { return i; }
    }
}

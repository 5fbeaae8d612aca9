
// --- shared/pad.wgsl ---
// Which values are added (attr::PadMode).
override MODE: u32 = PAD_CONSTANT;

// The element of an axis at position i of an axis padded to `padded`, `before` in front; outside 0 .. extent - 1 for a constant.
// What is cropped at one end does not come back at the other: a circle is of the elements first .. end - 1 that remain.
fn source(o: u32, before: i32, extent: i32, padded: u32) -> i32 {
    let i = i32(o) - before;
    let first = max(0, -before);
    let end = min(extent, i32(padded) - before);
    switch MODE {
        case PAD_REFLECT: { return select(select(i, 2 * (extent - 1) - i, i >= extent), -i, i < 0); }
        case PAD_REPLICATE: { return clamp(i, 0, extent - 1); }
        case PAD_CIRCULAR: { return select(select(i, i - (end - first), i >= end), i + (end - first), i < first); }
        default: { return i; }
    }
}


// --- shared/channels.wgsl ---
// Kernels for both layouts. CHANNELS_LAST: an Element of a tensor is a block of four channels, else one value of a row-major
// plane; a plane is an image of one channel. A Value is an Element as it is computed with, a Word the
// bits of one, LANE the numbers of its channels.

fn blocks_of(channels: u32) -> u32 {
    if CHANNELS_LAST { return (channels + 3u) / 4u; }
    return 1u;
}

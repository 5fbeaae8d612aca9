
// --- shared/tap_table.wgsl ---
// The taps of every row [oh, TAPS_Y] and column [ow, TAPS_X] of a resampled image (reference::resize::Axis).

struct Tap { at: u32, weight: f32 }

@group(0) @binding(2) var<storage, read> rows: array<Tap>;
@group(0) @binding(3) var<storage, read> columns: array<Tap>;

override TAPS_Y: u32 = 1u;
override TAPS_X: u32 = 1u;

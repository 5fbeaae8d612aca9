
// --- shared/epilogue.wgsl ---
// What every kernel with an epilogue is told of it (ops::epilogue), in a group of bindings of its own.

struct Epilogue { channels: u32, slopes: u32, act_a: f32, act_b: f32, act_c: f32, y_pitch: u32, y_first: u32 }

@group(1) @binding(0) var<uniform> epilogue: Epilogue;
@group(1) @binding(1) var<storage, read> bias: array<f32>;
// One for all channels, or one per channel.
@group(1) @binding(3) var<storage, read> slope: array<f32>;

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;
override HAS_SLOPE: bool = false;

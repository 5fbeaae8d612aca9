
// --- shared/columns.wgsl ---
// Packed weights by the columns of their 4x4 blocks: column j of block b is 4 b + j.

@group(0) @binding(2) var<storage, read> w: array<vec4<Stored>>;

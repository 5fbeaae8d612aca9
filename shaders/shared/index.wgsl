
// --- shared/index.wgsl ---
// The linear index of an invocation in a grid of workgroups of 64 folded over x and y (see gpu::kernel::flat_grid).
fn flat_id(gid: vec3<u32>, groups: vec3<u32>) -> u32 {
    return gid.x + gid.y * groups.x * 64u;
}

// By its bits: WGSL lets a comparison assume that there are no NaNs.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// The linear index of a workgroup in a grid folded over x and y (see gpu::kernel::folded).
fn group_id(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}

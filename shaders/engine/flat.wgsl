
// --- engine/flat.wgsl ---
// One invocation: compute(i), i its linear index in a grid of workgroups of 64 folded over x and y (see gpu::launch::flat_grid).
// `first_group` is how many workgroups the parts before have, where the host splits the grid, else 0.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    compute(gid.x + (gid.y * groups.x + first_group) * 64u);
}


// --- engine/team.wgsl ---
// One workgroup of WORKGROUP invocations: compute(group, t), group its linear index in a grid folded over x and y (see
// gpu::launch::folded), t that of the invocation in it.
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    compute(group.x + group.y * groups.x + first_group, t);
}

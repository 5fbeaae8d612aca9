
// --- engine/stream.wgsl ---
// One invocation: compute(i) for 4 of p.count4 vec4s, each 256 from the next, so that neighbouring invocations take neighbouring
// elements.
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let first = (group.x + group.y * groups.x + first_group) * 1024u + t;
    let end = min(first + 1024u, p.count4);
    for (var i = first; i < end; i += 256u) { compute(i); }
}

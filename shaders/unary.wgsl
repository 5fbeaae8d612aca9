// y[i] = activate(x[i]), any shape, either layout: both tensors are seen as vec4s.
//   x, y: count4 vec4s; PADDED: channels-last with c channels in c4 vec4s, whose padding lanes stay 0
// One invocation: 4 vec4s, each 256 from the next, so that neighbouring invocations take neighbouring elements.

struct Params { count4: u32, c: u32, c4: u32, act_a: f32, act_b: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

override PADDED: bool = false;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let first = group_id(group, groups) * 1024u + t;
    let end = min(first + 1024u, p.count4);
    for (var i = first; i < end; i += 256u) {
        var v = activate4(vec4<f32>(x[i]), p.act_a, p.act_b);
        if PADDED {
            let lanes = vec4<u32>(0u, 1u, 2u, 3u) + (i % p.c4) * 4u;
            v = select(vec4<f32>(0.0), v, lanes < vec4<u32>(p.c));
        }
        y[i] = vec4<Stored>(v);
    }
}

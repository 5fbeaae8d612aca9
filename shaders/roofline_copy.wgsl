// y[i] = x[i]: measures the peak rate of the memory.
//   x, y: count4 vec4s
// One invocation: 4 vec4s, each 256 from the next, so that neighbouring invocations copy neighbouring elements. All are loaded
// before the first is stored.

struct Params { count4: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

const WORKGROUP = 256u;

fn compute(group: u32, t: u32) {
    let i = group * 1024u + t;
    if i + 768u < p.count4 {
        let v0 = x[i]; let v1 = x[i + 256u]; let v2 = x[i + 512u]; let v3 = x[i + 768u];
        y[i] = v0; y[i + 256u] = v1; y[i + 512u] = v2; y[i + 768u] = v3;
        return;
    }
    for (var k = i; k < p.count4; k += 256u) { y[k] = x[k]; }
}

// y = step * round(x / step), element by element. One invocation: one element.

struct Params { count: u32, step: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= p.count { return; }
    y[id.x] = p.step * round(x[id.x] / p.step);
}

// y[i] = activate(x[i]), any shape, either layout: both tensors are seen as vec4s.
//   x, y: count4 vec4s; PADDED: channels-last with c channels in c4 vec4s, whose padding lanes stay 0
// One call of compute: one vec4.

struct Params { count4: u32, c: u32, c4: u32, act_a: f32, act_b: f32, act_c: f32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

override PADDED: bool = false;

fn compute(i: u32) {
    var v = activate4(vec4<f32>(x[i]), p.act_a, p.act_b, p.act_c);
    if PADDED {
        let lanes = vec4<u32>(0u, 1u, 2u, 3u) + (i % p.c4) * 4u;
        v = select(vec4<f32>(0.0), v, lanes < vec4<u32>(p.c));
    }
    y[i] = vec4<Stored>(v);
}

// normalize.wgsl for channels-last tensors; weight and bias are one a channel.
//   x, y: channels-last [n, pixels, c4] of vec4, padding lanes of y 0
//   mean, spread: slice number image * image_slices + channel / members (image_slices is 0 where images share statistics)
//   weight, bias: [c], left out unless WEIGHT, BIAS
// One invocation: one vec4.

struct Params { n: u32, pixels: u32, c: u32, image_slices: u32, members: u32, eps: f32 }

// The element type of x and y.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> spread: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<Stored>>;

override INVERSE: bool = false;
override WEIGHT: bool = false;
override BIAS: bool = false;

fn normalize1(v: f32, image: u32, c: u32) -> f32 {
    if c >= p.c { return 0.0; }
    let slice = image * p.image_slices + c / p.members;
    var scale = spread[slice];
    if !INVERSE { scale = inverseSqrt(scale + p.eps); }
    if WEIGHT { scale *= weight[c]; }
    let centred = (v - mean[slice]) * scale;
    if BIAS { return centred + bias[c]; }
    return centred;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = flat_id(gid, groups);
    let c4 = (p.c + 3u) / 4u;
    if i >= p.n * p.pixels * c4 { return; }
    let image = i / (p.pixels * c4);
    let c = i % c4 * 4u;
    let v = vec4<f32>(x[i]);
    y[i] = vec4<Stored>(vec4<f32>(
        normalize1(v.x, image, c), normalize1(v.y, image, c + 1u),
        normalize1(v.z, image, c + 2u), normalize1(v.w, image, c + 3u)
    ));
}

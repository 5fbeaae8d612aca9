// The first stage of moments.wgsl for channels-last tensors: one result for each part of the pixels of each channel.
//   x: channels-last [images, pixels, c4] of vec4, a part has `chunk` pixels
//   sums, m2s: [images, c, parts], of x - the first value of the channel's group (`members` channels share one)
// One workgroup: one part of BLOCKS vec4s of channels side by side, so that neighbours read neighbouring memory.
// One invocation: strips of four neighbouring pixels of one vec4, as many strips apart as invocations share the block;
// then a tree over pixels.

struct Params { images: u32, pixels: u32, c: u32, members: u32, chunk: u32, parts: u32 }

// The element type of x.
alias Stored = f32;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> m2s: array<f32>;

override BLOCKS: u32 = 16u;

alias Value = vec4<f32>;
var<workgroup> tree: array<Moments, 64>;

fn value(image: u32, pixel: u32, block: u32) -> vec4<f32> {
    return vec4<f32>(x[(image * p.pixels + pixel) * ((p.c + 3u) / 4u) + block]);
}

fn first_value(image: u32, channel: u32) -> f32 {
    let c = channel / p.members * p.members;
    return value(image, 0u, c / 4u)[c % 4u];
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let c4 = (p.c + 3u) / 4u;
    let columns = (c4 + BLOCKS - 1u) / BLOCKS;
    let job = group_id(group, groups);
    if job >= p.images * p.parts * columns { return; }
    let own = job % columns * BLOCKS + t % BLOCKS;
    let block = min(own, c4 - 1u);
    let part = job / columns % p.parts;
    let image = job / columns / p.parts;
    let end = min((part + 1u) * p.chunk, p.pixels);
    let c = block * 4u;
    let shift = vec4<f32>(
        first_value(image, c), first_value(image, c + 1u), first_value(image, c + 2u), first_value(image, c + 3u)
    );
    var m = NOTHING;
    for (var k = part * p.chunk + t / BLOCKS * 4u; k < end; k += 256u / BLOCKS) {
        let last = end - 1u;
        m = merge(m, moments_of(
            min(end - k, 4u),
            value(image, k, block) - shift,
            value(image, min(k + 1u, last), block) - shift,
            value(image, min(k + 2u, last), block) - shift,
            value(image, min(k + 3u, last), block) - shift,
        ));
    }
    tree[t] = m;
    for (var half = 32u; half >= BLOCKS; half /= 2u) {
        workgroupBarrier();
        if t < half { tree[t] = merge(tree[t], tree[t + half]); }
    }
    if t >= BLOCKS { return; }
    for (var lane = 0u; lane < 4u; lane++) {
        if own * 4u + lane >= p.c { return; }
        let i = (image * p.c + own * 4u + lane) * p.parts + part;
        sums[i] = tree[t].sum[lane];
        m2s[i] = tree[t].m2[lane];
    }
}


// --- shared/winograd.wgsl ---
// What the transforms of images and of weights have in common: rows of six, of which 36 matrices are made, one per element of a tile.

@group(0) @binding(2) var<storage, read_write> matrices: array<vec4<f32>>;

struct Six { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32>, f: vec4<f32> }

// Shifts the values by one.
fn next(s: Six) -> Six {
    return Six(s.b, s.c, s.d, s.e, s.f, s.a);
}

// Stores row i of the transform at element `at` of its six matrices, which have `stride` elements.
fn store_row(at: u32, i: u32, row: Six, stride: u32) {
    let first = p.size * i * stride + at;
    var s = row;
    for (var k = first; k < first + p.size * stride; k += stride) {
        matrices[k] = s.a;
        s = next(s);
    }
}

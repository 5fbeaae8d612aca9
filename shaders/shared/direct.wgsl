
// --- shared/direct.wgsl ---
// A convolution of row-major tensors, transposed or not: its geometry and its tensors.
//   x: row-major [n, ic, ih, iw]   y: row-major [n, oc, oh, ow]

struct Params {
    n: u32, ic: u32, ih: u32, iw: u32,
    oc: u32, oh: u32, ow: u32,
    kh: u32, kw: u32, sy: u32, sx: u32, py: u32, px: u32, dy: u32, dx: u32,
    groups: u32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Where output i is.
struct Place { n: u32, oc: u32, oy: u32, ox: u32 }

fn place(i: u32) -> Place {
    return Place(i / p.ow / p.oh / p.oc, i / p.ow / p.oh % p.oc, i / p.ow % p.oh, i % p.ow);
}

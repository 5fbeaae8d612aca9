// Pixel shuffle: y[n, c, ys r + dy, xs r + dx] = x[n, c step_c + (dy r + dx) step_part, ys, xs]; with UNSHUFFLE, the inverse: the
// output is the right side's tensor and the input the left side's.
//   deep: row-major [n, c r r, h, w]   wide: row-major [n, c, h r, w r]   of 4-byte elements
// One invocation: one element of the output.

struct Params { n: u32, c: u32, h: u32, w: u32, r: u32, step_c: u32, step_part: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

override UNSHUFFLE: bool = false;

// The index in the deep tensor of an element of the wide one.
fn deep_index(i: u32) -> u32 {
    let px = i % (p.w * p.r);
    let py = i / (p.w * p.r) % (p.h * p.r);
    let plane = i / (p.w * p.r * p.h * p.r);
    let part = py % p.r * p.r + px % p.r;
    let deep = plane % p.c * p.step_c + part * p.step_part;
    return ((plane / p.c * p.c * p.r * p.r + deep) * p.h + py / p.r) * p.w + px / p.r;
}

// The index in the wide tensor of an element of the deep one. One of the strides is 1; the index is divided by the other.
fn wide_index(i: u32) -> u32 {
    let parts = p.r * p.r;
    let deep = i / (p.w * p.h) % (p.c * parts);
    let n = i / (p.w * p.h * p.c * parts);
    let part = deep / p.step_part % parts;
    let c = deep / p.step_c % p.c;
    let py = i / p.w % p.h * p.r + part / p.r;
    return ((n * p.c + c) * p.h * p.r + py) * p.w * p.r + i % p.w * p.r + part % p.r;
}

fn compute(i: u32) {
    if i >= p.n * p.c * p.h * p.w * p.r * p.r { return; }
    if UNSHUFFLE {
        y[i] = x[wide_index(i)];
    } else {
        y[i] = x[deep_index(i)];
    }
}

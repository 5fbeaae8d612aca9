// y[row to_pitch + to_first + k] = x[row from_pitch + from_first + k], k < width: rows copied from one pitch to another.
//   x, y: words, or vec4s of them; the rest of y is not changed
// One invocation: one element; neighbouring invocations copy neighbouring elements.

struct Params { count: u32, width: u32, from_pitch: u32, from_first: u32, to_pitch: u32, to_first: u32 }

@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

fn compute(i: u32) {
    if i >= p.count { return; }
    let row = i / p.width;
    let k = i % p.width;
    y[row * p.to_pitch + p.to_first + k] = x[row * p.from_pitch + p.from_first + k];
}

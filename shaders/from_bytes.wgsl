// y[i] = x[i], an integer of 8 bits as one of 32
//   x: `words` words of four bytes, the first the lowest   y: as many vec4s, row-major   SIGNED: the bytes have a sign
// One invocation: one word of x.

struct Params { words: u32 }

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

override SIGNED: bool = false;

fn compute(i: u32) {
    if i >= p.words { return; }
    let high = vec4<u32>(x[i]) << vec4<u32>(24u, 16u, 8u, 0u);
    y[i] = select(high >> vec4<u32>(24u), bitcast<vec4<u32>>(bitcast<vec4<i32>>(high) >> vec4<u32>(24u)), SIGNED);
}

// The end of a product whose inner dimension was split: y[i] = parts[0, i] + parts[1, i] + .. , in this order, so that the result
// is the same every run.
//   parts: [splits, batch, m, n]      y: row-major [batch, m, n]
// One invocation: one element of y.

struct Params { count: u32, splits: u32 }

@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.count { return; }
    var sum = parts[i];
    for (var s = 1u; s < p.splits; s++) { sum += parts[s * p.count + i]; }
    y[i] = sum;
}

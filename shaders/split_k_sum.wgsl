// The end of a product whose inner dimension was split: y[i] = epilogue(parts[0, i] + parts[1, i] + .. ), in this order, so that
// the result is the same every run.
//   parts: [splits, rows, oc4] of vec4      y, residual: [rows, oc4] of vec4, channels-last
// One invocation: one vec4 of y.

struct Params { count: u32, splits: u32, oc4: u32 }

@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;

fn compute(i: u32) {
    if i >= p.count { return; }
    var sum = parts[i];
    for (var s = 1u; s < p.splits; s++) { sum += parts[s * p.count + i]; }
    y[y_at(i / p.oc4, i % p.oc4)] = vec4<Stored>(finish4(sum, i % p.oc4, i));
}

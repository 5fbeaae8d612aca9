// y[n, c, i] = x[n, c, i] (k + alpha / size * sum of x[n, j, i]^2)^-beta over the channels j in c - before .. c - before + size
//   x, y: row-major [n, c, area]
// One invocation: one output; neighbouring invocations take neighbouring pixels.

struct Params { n: u32, c: u32, area: u32, size: u32, before: u32, scale: f32, beta: f32, k: f32 }

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.n * p.c * p.area { return; }
    let c = i / p.area % p.c;
    let first = max(c, p.before) - p.before;
    let end = min(c + p.size - p.before, p.c);
    let image = i - c * p.area;
    var sum = 0.0;
    for (var j = first; j < end; j++) {
        let v = x[image + j * p.area];
        sum += v * v;
    }
    y[i] = x[i] * exp2(-p.beta * log2(p.k + p.scale * sum));
}

// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n], the batch broadcast: z = [d0, .., d3], za = sum z_j a_j, zb = sum z_j b_j
//   a: row-major matrices [m, k]   b: row-major [k, n]   y: row-major [batch, m, n]
// One invocation: one output. The simplest kernel: nothing is reused.

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn compute(i: u32) {
    if i >= p.batch * p.m * p.n { return; }
    let n = i % p.n;
    let m = i / p.n % p.m;
    let pair = pair_of(i / p.n / p.m);
    let row = (pair.x * p.m + m) * p.k;
    let column = pair.y * p.k * p.n + n;
    var acc = 0.0;
    for (var k = 0u; k < p.k; k++) {
        acc += a[row + k] * b[column + k * p.n];
    }
    y[i] = acc;
}

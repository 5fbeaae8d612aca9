// y[z, m, n] = sum over k of a[za, m, k] b[zb, k, n] of integers: the low bits of the type, whatever the order
//   a, b, y: row-major matrices of 4-byte integers, see shared/matmul.wgsl
// One invocation: one output. Four products per iteration, so that a driver that limits iterations takes a long sum.

@group(0) @binding(1) var<storage, read> a: array<i32>;
@group(0) @binding(2) var<storage, read> b: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

override TYPE: u32 = TYPE_I32;

fn compute(i: u32) {
    if i >= p.batch * p.m * p.n { return; }
    let n = i % p.n;
    let m = i / p.n % p.m;
    let pair = pair_of(i / p.n / p.m);
    let row = (pair.x * p.m + m) * p.k;
    let column = pair.y * p.k * p.n + n;
    var sum = 0;
    var k = 0u;
    for (; k + 4u <= p.k; k += 4u) {
        let first = column + k * p.n;
        sum += a[row + k] * b[first] + a[row + k + 1u] * b[first + p.n]
            + a[row + k + 2u] * b[first + 2u * p.n] + a[row + k + 3u] * b[first + 3u * p.n];
    }
    for (; k < p.k; k++) {
        sum += a[row + k] * b[column + k * p.n];
    }
    y[i] = narrow(bitcast<u32>(sum), TYPE);
}

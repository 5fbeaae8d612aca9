// y[o, k, i] = x[o, k, i] / norm of x[o, .., i], or 0 where the norm is 0; P 1: sum of |x|, 2: root of the sum of squares.
//   x, y: row-major, seen as [outer, n, inner]
// One workgroup: one norm; an invocation loops over every WORKGROUP-th value, four per iteration; then a tree.
// WORKGROUP: ops::normalize::TREE.

struct Params { outer: u32, n: u32, inner: u32 }

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override P: u32 = 2u;

const LANES = WORKGROUP;

fn term(i: u32) -> f32 {
    return select(x[i] * x[i], abs(x[i]), P == 1u);
}

fn share(i: u32, total: f32, norm: f32) {
    var v = 0.0;
    if total > 0.0 { v = quotient(x[i], norm); }
    y[i] = v;
}

fn compute(i: u32, t: u32) {
    if i >= p.outer * p.inner { return; }
    let first = i / p.inner * p.n * p.inner + i % p.inner;
    var sum = 0.0;
    var k = t;
    for (; k + 3u * WORKGROUP < p.n; k += 4u * WORKGROUP) {
        sum += term(first + k * p.inner);
        sum += term(first + (k + WORKGROUP) * p.inner);
        sum += term(first + (k + 2u * WORKGROUP) * p.inner);
        sum += term(first + (k + 3u * WORKGROUP) * p.inner);
    }
    for (; k < p.n; k += WORKGROUP) { sum += term(first + k * p.inner); }
    let total = tree_sum(sum, t);
    let norm = select(sqrt(total), total, P == 1u);
    k = t;
    for (; k + 3u * WORKGROUP < p.n; k += 4u * WORKGROUP) {
        share(first + k * p.inner, total, norm);
        share(first + (k + WORKGROUP) * p.inner, total, norm);
        share(first + (k + 2u * WORKGROUP) * p.inner, total, norm);
        share(first + (k + 3u * WORKGROUP) * p.inner, total, norm);
    }
    for (; k < p.n; k += WORKGROUP) { share(first + k * p.inner, total, norm); }
}

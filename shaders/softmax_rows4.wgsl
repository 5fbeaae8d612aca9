// y[o, k] = exp(x[o, k] - m) / sum over k of exp(x[o, k] - m), m the maximum over k; LOG: its logarithm. For many sets of
// consecutive values whose number is a multiple of 4.
//   x, y: row-major [outer, n / 4] of vec4
// LANES invocations: one softmax, each every LANES-th vec4; then trees. A workgroup has WORKGROUP / LANES softmaxes.
// LANES: ops::softmax::ROWS_TREE.

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

const LANES = 8u;
const WORKGROUP = 64u;

fn compute(group: u32, t: u32) {
    let own = t % LANES;
    let row = group * (WORKGROUP / LANES) + t / LANES;
    let first = row * p.n / 4u;
    let end = select(first, first + p.n / 4u, row < p.outer);

    var m = p.lowest;
    for (var k = first + own; k < end; k += LANES) {
        let v = x[k];
        m = larger(m, larger(larger(v.x, v.y), larger(v.z, v.w)));
    }
    m = tree_larger(m, t);
    var partial = 0.0;
    for (var k = first + own; k < end; k += LANES) {
        let v = x[k];
        partial += (term(v.x, m) + term(v.y, m)) + (term(v.z, m) + term(v.w, m));
    }
    let sum = tree_sum(partial, t);
    for (var k = first + own; k < end; k += LANES) {
        let v = x[k];
        y[k] = vec4<f32>(share(v.x, m, sum), share(v.y, m, sum), share(v.z, m, sum), share(v.w, m, sum));
    }
}

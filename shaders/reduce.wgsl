// y[o] = finish(map(x) joined over the values of output o): sum, mean, max, ... by KIND.
//   x, y: 4-byte elements by their bits, floats or integers
//   x: row-major, its axes collapsed to at most three kept ones (extents .., k1, k2, strides ks) and at most three reduced
//   ones (.., r1, r2, rs)      y: row-major over the kept axes
// One invocation: one output. A log-sum-exp takes the maximum first.

fn fold(kind: u32, o: u32, shift: f32) -> u32 {
    let origin = first(o);
    var a = start(kind);
    for (var r = 0u; r < p.count; r++) { a = join(kind, a, map(kind, x[origin + offset(r)], shift)); }
    return a;
}

// The mean of i32 values of output o, rounded towards zero. Their sum is q count + r with |r| < count: it need not fit.
fn mean_i32(o: u32) -> u32 {
    let origin = first(o);
    let n = i32(p.count);
    var q = 0;
    var r = 0;
    for (var k = 0u; k < p.count; k++) {
        let v = bitcast<i32>(x[origin + offset(k)]);
        // GLSL leaves v % n open where v is negative.
        let whole = v / n;
        q += whole;
        r += v - whole * n;
        let over = i32(r >= n) - i32(r <= -n);
        q += over;
        r -= over * n;
    }
    return bitcast<u32>(q + i32(q < 0 && r > 0) - i32(q > 0 && r < 0));
}

fn mean_u32(o: u32) -> u32 {
    let origin = first(o);
    var q = 0u;
    var r = 0u;
    for (var k = 0u; k < p.count; k++) {
        let v = x[origin + offset(k)];
        q += v / p.count;
        r += v % p.count;
        let over = u32(r >= p.count);
        q += over;
        r -= over * p.count;
    }
    return q;
}

fn compute(o: u32) {
    if o >= p.outputs { return; }
    if KIND == REDUCE_MEAN && p.count > 0u && (TYPE == TYPE_I32 || TYPE == TYPE_U32) {
        if TYPE == TYPE_U32 { y[o] = mean_u32(o); } else { y[o] = mean_i32(o); }
        return;
    }
    var shift = 0.0;
    if KIND == REDUCE_LOG_SUM_EXP { shift = bitcast<f32>(fold(REDUCE_MAX, o, 0.0)); }
    y[o] = finish(fold(KIND, o, shift), shift);
}

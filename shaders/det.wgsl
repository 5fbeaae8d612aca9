// y[i] = det x[i]: the product of the pivots of an elimination by rows, with its sign changed by every exchange of two
//   x, a: row-major [count, n, n]   y: [count]
// One invocation: one matrix, in `a`. The pivot of a column is its largest value, a NaN before all.

struct Params { count: u32, n: u32 }

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> a: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// The row from k on whose value in column k is the largest.
fn pivot_row(first: u32, k: u32) -> u32 {
    var best = abs(a[first + k * p.n + k]);
    var row = k;
    for (var r = k + 1u; r < p.n; r++) {
        let v = abs(a[first + r * p.n + k]);
        if is_nan(v) | (!is_nan(best) & (v > best)) {
            best = v;
            row = r;
        }
    }
    return row;
}

fn exchange(one: u32, other: u32) {
    for (var c = 0u; c < p.n; c++) {
        let v = a[one + c];
        a[one + c] = a[other + c];
        a[other + c] = v;
    }
}

fn compute(i: u32) {
    if i >= p.count { return; }
    let first = i * p.n * p.n;
    for (var k = 0u; k < p.n * p.n; k++) { a[first + k] = x[first + k]; }
    var det = 1.0;
    for (var k = 0u; k < p.n; k++) {
        let row = pivot_row(first, k);
        if row != k {
            exchange(first + k * p.n, first + row * p.n);
            det = -det;
        }
        let pivot = a[first + k * p.n + k];
        det *= pivot;
        for (var r = k + 1u; r < p.n; r++) {
            let at = first + r * p.n;
            // A column of zeros eliminates nothing.
            let factor = select(quotient(a[at + k], pivot), 0.0, pivot == 0.0);
            for (var c = k + 1u; c < p.n; c++) { a[at + c] -= factor * a[first + k * p.n + c]; }
        }
    }
    y[i] = det;
}

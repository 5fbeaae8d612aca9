
// --- common/arg_reduce.wgsl ---
// Whether value b at index j comes before value a at index i: larger (SMALLEST: smaller), NaN
// before any number; of equal values the first index (LAST: the last).

override SMALLEST: bool = false;
override LAST: bool = false;

fn beats(b: f32, j: u32, a: f32, i: u32) -> bool {
    let earlier = select((j < i), (j > i), LAST);
    if is_nan(a) || is_nan(b) { return is_nan(b) && (!is_nan(a) || earlier); }
    if a == b { return earlier; }
    return select(b > a, b < a, SMALLEST);
}

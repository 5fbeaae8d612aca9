// Whether value b at index j comes before value a at index i: larger (SMALLEST: smaller), NaN
// before any number (NAN_LAST: after); of equal values the first index (LAST: the last). Values are given by their bits: floats,
// or integers, as TYPE says. Needs shared/integer.wgsl.

override SMALLEST: bool = false;
override LAST: bool = false;
override NAN_LAST: bool = false;
override TYPE: u32 = TYPE_F32;

fn precedes_f32(b: f32, a: f32, earlier: bool) -> bool {
    if is_nan(a) && is_nan(b) { return earlier; }
    if is_nan(a) || is_nan(b) { return is_nan(b) != NAN_LAST; }
    if a == b { return earlier; }
    return select(b > a, b < a, SMALLEST);
}

fn precedes(b: u32, j: u32, a: u32, i: u32) -> bool {
    let earlier = select((j < i), (j > i), LAST);
    if TYPE == TYPE_F32 { return precedes_f32(bitcast<f32>(b), bitcast<f32>(a), earlier); }
    if a == b { return earlier; }
    let larger = select(bitcast<i32>(b) > bitcast<i32>(a), b > a, TYPE == TYPE_U32);
    return larger != SMALLEST;
}

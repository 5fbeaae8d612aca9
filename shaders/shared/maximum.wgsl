
// --- shared/maximum.wgsl ---
// The larger of two, lane by lane; NaN if either is, recognised by its bits.
fn maximum(a: Value, b: Value) -> Value {
    let nan_a = (bitcast<Word>(a) & Word(0x7fffffffu)) > Word(0x7f800000u);
    let nan_b = (bitcast<Word>(b) & Word(0x7fffffffu)) > Word(0x7f800000u);
    return select(a, b, nan_b | (!nan_a & (b > a)));
}

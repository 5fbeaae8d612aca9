
// --- shared/apart.wgsl ---

// x - shift by its bits; zero is 0 at run time only. A compiler that may reassociate (Metal's fast math) would else take the shift
// out of the difference again, and lose as many digits as the shift has more. A Value is one number, or a vec4.
fn apart(x: Value, shift: Value, zero: u32) -> Value {
    return bitcast<Value>(bitcast<Word>(x - shift) ^ Word(zero));
}

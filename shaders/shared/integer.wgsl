
// --- shared/integer.wgsl ---
// Elements of any type (TYPE_..: shape::DType); all take 4 bytes.

// The low bits that an integer type keeps, extended to 32 bits by its sign.
fn narrow(bits: u32, dtype: u32) -> u32 {
    switch dtype {
        case TYPE_I8: { return bitcast<u32>(extractBits(bitcast<i32>(bits), 0u, 8u)); }
        case TYPE_U8: { return bits & 0xffu; }
        case TYPE_I16: { return bitcast<u32>(extractBits(bitcast<i32>(bits), 0u, 16u)); }
        case TYPE_U16: { return bits & 0xffffu; }
        default: { return bits; }
    }
}

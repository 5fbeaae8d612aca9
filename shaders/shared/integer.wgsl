
// --- shared/integer.wgsl ---
// The element types of kernels that take several, by DType::code; all take 4 bytes.

const FLOAT = 0u;
const I32 = 1u;
const BOOL = 2u;
const U32 = 3u;

// The low bits that an integer type keeps, extended to 32 bits by its sign.
fn narrow(bits: u32, dtype: u32) -> u32 {
    switch dtype {
        case 4u: { return bitcast<u32>(extractBits(bitcast<i32>(bits), 0u, 8u)); }
        case 5u: { return bits & 0xffu; }
        case 6u: { return bitcast<u32>(extractBits(bitcast<i32>(bits), 0u, 16u)); }
        case 7u: { return bits & 0xffffu; }
        default: { return bits; }
    }
}

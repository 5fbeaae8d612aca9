
// --- shared/implicit.wgsl ---
// The operands of a convolution as a product of matrices: rows are windows of x, columns output channels.

// Where a row begins that is outside the image: all its values are 0.
const NOWHERE = 0xffffffffu;

const HAS_TAPS = true;

// Before the first line, and before the first tap of a line.
const BEFORE = 0xffffffffu;

fn blocks() -> u32 {
    return p.oc4;
}

fn steps() -> u32 {
    return p.icg4;
}

fn is_line(t: Tap) -> bool {
    return t.ky < p.kh;
}

fn is_tap(t: Tap) -> bool {
    return t.kx < p.kw;
}

fn weights(matrix: u32, t: Tap) -> u32 {
    return (t.ky * p.kw + t.kx) * p.icg4 * p.oc4;
}

fn row4(at: u32, c: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(x[select(at + c, 0u, at == NOWHERE)]), at != NOWHERE);
}

fn block4(first: u32, c: u32, block: u32) -> mat4x4<f32> {
    return weights_at(first + c * p.oc4 + block);
}

// The index of the block's group in x at a place of image n, whose rows and columns before the first have wrapped.
fn input_at(n: u32, iy: u32, ix: u32, block: u32) -> u32 {
    let at = ((n * p.ih + iy) * p.iw + ix) * p.ic4 + block / p.ocg4 * p.icg4;
    return select(NOWHERE, at, iy < p.ih && ix < p.iw);
}

fn store_pixel(pixel: u32, block: u32, v: vec4<f32>) {
    y[y_at(pixel, block)] = vec4<Written>(finish4(v, block, pixel * p.oc4 + block));
}


// --- shared/phases.wgsl ---
// Transposed convolution by phases: outputs with equal (oy mod sy, ox mod sx) use the same taps. The
// params hold the sizes of the convolution.

// A pixel of a phase: its output is (py, px) of the phase + (sy, sx) times this.
struct Pixel { y: u32, x: u32, n: u32 }

// Rows and columns of every phase: those of phase (0, 0), which has the most.
fn phase_size() -> vec2<u32> {
    return vec2<u32>((p.oh + p.sy - 1u) / p.sy, (p.ow + p.sx - 1u) / p.sx);
}

fn phase_pixels() -> u32 {
    let size = phase_size();
    return p.n * size.x * size.y;
}

// Pixels beyond the last repeat the last.
fn pixel_of(q: u32) -> Pixel {
    let size = phase_size();
    let r = min(q, p.n * size.x * size.y - 1u);
    let row = r / size.y;
    let n = row / size.x;
    return Pixel(row - n * size.x, r - row * size.y, n);
}

// The distance in inputs (wrapping below 0) from a pixel of phase f to the input under a tap that is `back` output steps after
// the first, and whether the tap meets an input.
struct Step { by: u32, meets: bool }

fn step(f: u32, pad: u32, back: u32, stride: u32) -> Step {
    let before = back > f + pad;
    let distance = select(f + pad - back, back - f - pad, before);
    let q = distance / stride;
    return Step(select(q, 0u - q, before), q * stride == distance);
}

// The index of channel block `first_c` of the input that is (ty, tx) from the pixel, or 0xffffffff outside the image.
fn tap(o: Pixel, ty: u32, tx: u32, first_c: u32) -> u32 {
    let iy = o.y + ty;
    let ix = o.x + tx;
    return select(0xffffffffu, ((o.n * p.ih + iy) * p.iw + ix) * p.ic4 + first_c, iy < p.ih && ix < p.iw);
}

// The index of the output of a pixel of phase (fy, fx), or 0xffffffff beyond the image.
fn output_of(q: u32, fy: u32, fx: u32) -> u32 {
    let o = pixel_of(q);
    let oy = o.y * p.sy + fy;
    let ox = o.x * p.sx + fx;
    return select(0xffffffffu, (o.n * p.oh + oy) * p.ow + ox, oy < p.oh && ox < p.ow);
}

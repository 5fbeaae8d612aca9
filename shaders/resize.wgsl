// y[n, oy, ox, c] = sum over the taps of row oy and of column ox of wy wx x[n, iy, ix, c]
//   x: [n, ih, iw, c] of Element   y: [n, oh, ow, c] of Element, padding lanes 0; an Element is four channels, or a value of a
//     row-major plane
// One invocation: BLOCKS Elements of y at one place, of as many blocks of channels of an image or of as many planes, for which it
// reads the taps once; past the last block that one is repeated. Neighbouring invocations take neighbouring channels, or columns,
// so that loads and stores coalesce. One tap per axis is a copy.

@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;

override BLOCKS: u32 = 4u;

// Where the taps of its row and column begin. The blocks of channels; where each is at pixel 0 of x and of y; how many pixels its
// image begins after that, and its pixel of y is; and how far pixels are apart.
struct Place { row: u32, column: u32, block: vec4<u32>, x: vec4<u32>, y: vec4<u32>, before: u32, pixel: u32, pitch: u32 }

// The numbers of four blocks of `count`, `step` apart, from the first on.
fn four(first: u32, step: u32, count: u32) -> vec4<u32> {
    return min(vec4<u32>(0u, 1u, 2u, 3u) * step + first, vec4<u32>(count - 1u));
}

fn place_of(i: u32, step: u32, count: u32) -> Place {
    let q = select(i, i / step, CHANNELS_LAST);
    let line = q / p.ow;
    let image = line / p.oh;
    let row = (line - image * p.oh) * TAPS_Y;
    let column = (q - line * p.ow) * TAPS_X;
    if CHANNELS_LAST {
        let block = four(i - q * step, step, count);
        return Place(row, column, block, block, block, image * p.ih * p.iw, q, count);
    }
    let plane = four(image, step, count);
    let area = p.oh * p.ow;
    return Place(row, column, vec4<u32>(0u), plane * (p.ih * p.iw), plane * area, 0u, q - image * area, 1u);
}

fn store(at: Place, v0: Value, v1: Value, v2: Value, v3: Value) {
    let to = at.y + at.pixel * at.pitch;
    y[to.x] = Element(v0);
    if BLOCKS > 1u { y[to.y] = Element(v1); }
    if BLOCKS > 2u { y[to.z] = Element(v2); }
    if BLOCKS > 3u { y[to.w] = Element(v3); }
}

fn outside(block: u32) -> Value {
    return select(Value(0.0), Value(p.outside), LANE + Word(block * 4u) < Word(p.c));
}

fn compute(i: u32) {
    let count = select(p.n * p.c, blocks_of(p.c), CHANNELS_LAST);
    let step = (count + BLOCKS - 1u) / BLOCKS;
    if i >= select(1u, p.n, CHANNELS_LAST) * p.oh * p.ow * step { return; }
    let at = place_of(i, step, count);
    if is_outside(at.row, at.column) {
        store(at, outside(at.block.x), outside(at.block.y), outside(at.block.z), outside(at.block.w));
        return;
    }
    if TAPS_Y == 1u && TAPS_X == 1u {
        let i = at.x + (at.before + rows[at.row].at * p.iw + columns[at.column].at) * at.pitch;
        store(at, Value(x[i.x]), Value(x[i.y]), Value(x[i.z]), Value(x[i.w]));
        return;
    }
    var s0 = Value(0.0); var s1 = s0; var s2 = s0; var s3 = s0;
    for (var ky = 0u; ky < TAPS_Y; ky++) {
        let ty = rows[at.row + ky];
        let line = at.before + ty.at * p.iw;
        var l0 = Value(0.0); var l1 = l0; var l2 = l0; var l3 = l0;
        for (var kx = 0u; kx < TAPS_X; kx++) {
            let tx = columns[at.column + kx];
            let i = at.x + (line + tx.at) * at.pitch;
            l0 += tx.weight * Value(x[i.x]);
            if BLOCKS > 1u { l1 += tx.weight * Value(x[i.y]); }
            if BLOCKS > 2u { l2 += tx.weight * Value(x[i.z]); }
            if BLOCKS > 3u { l3 += tx.weight * Value(x[i.w]); }
        }
        s0 += ty.weight * l0; s1 += ty.weight * l1; s2 += ty.weight * l2; s3 += ty.weight * l3;
    }
    store(at, s0, s1, s2, s3);
}

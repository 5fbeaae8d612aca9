// y[region, oy, ox, c] = max of x[image, iy, ix, c] over bin oy of the rows and bin ox of the columns of a region; 0 if none is
// in the image
//   A region has the pixels of its rounded corners and those between. Bin o of an axis has the pixels from floor(o size / bins)
//   to ceil((o + 1) size / bins).
// One invocation: one Element of y; neighbouring invocations take neighbouring channels, or columns, so that stores coalesce.

struct Params {
    n: u32, c: u32, ih: u32, iw: u32, oh: u32, ow: u32, regions: u32, spatial_scale: f32, lowest: f32, nan: f32,
}

// Halves away from 0.
fn rounded(v: f32) -> i32 {
    let size = floor(abs(v));
    let whole = i32(size) + select(0, 1, abs(v) - size >= 0.5);
    return select(whole, -whole, v < 0.0);
}

// The first pixel of bin o, and the one behind its last.
fn bin_of(low: f32, high: f32, bins: u32, o: u32, extent: u32) -> vec2<u32> {
    let start = rounded(low);
    let size = u32(max(rounded(high) - start + 1, 1));
    // o size / bins without a product that leaves 32 bits.
    let whole = size / bins;
    let rest = size % bins;
    let first = start + i32(o * whole + o * rest / bins);
    let end = start + i32((o + 1u) * whole + ((o + 1u) * rest + bins - 1u) / bins);
    return vec2<u32>(clamp(vec2<i32>(first, end), vec2<i32>(0), vec2<i32>(i32(extent))));
}

fn compute(i: u32) {
    if i >= p.regions * p.oh * p.ow * blocks_in_all() { return; }
    let at = place_of(i);
    if is_lost(at.region) {
        y[i] = Element(lost(at.block));
        return;
    }
    let rows = bin_of(corner(at.region, 1u), corner(at.region, 3u), p.oh, at.oy, p.ih);
    let columns = bin_of(corner(at.region, 0u), corner(at.region, 2u), p.ow, at.ox, p.iw);
    if (rows.x >= rows.y) | (columns.x >= columns.y) {
        y[i] = Element(Value(0.0));
        return;
    }
    var acc = Value(p.lowest);
    for (var iy = rows.x; iy < rows.y; iy++) {
        // Past the last pixel that one is repeated.
        for (var ix = columns.x; ix < columns.y; ix += 4u) {
            let four = min(vec4<u32>(ix, ix + 1u, ix + 2u, ix + 3u), vec4<u32>(columns.y - 1u)) + iy * p.iw;
            let first = maximum(pixel(at, four.x), pixel(at, four.y));
            acc = maximum(acc, maximum(first, maximum(pixel(at, four.z), pixel(at, four.w))));
        }
    }
    y[i] = Element(acc);
}

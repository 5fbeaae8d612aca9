// y[o] = x[o - before] if that is inside x, else the value by MODE, see shared/pad.wgsl; the constant is p.value.
//   x: six axes of extents i0 .. i5   y: six axes of extents o0 .. o5, both row-major, of any type of 4 bytes
// One invocation: one element of y.

struct Params {
    i0: u32, i1: u32, i2: u32, i3: u32, i4: u32, i5: u32,
    o0: u32, o1: u32, o2: u32, o3: u32, o4: u32, o5: u32,
    before0: i32, before1: i32, before2: i32, before3: i32, before4: i32, before5: i32,
    value: u32,
}

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn compute(i: u32) {
    let extents = array<u32, 6>(p.i0, p.i1, p.i2, p.i3, p.i4, p.i5);
    let padded = array<u32, 6>(p.o0, p.o1, p.o2, p.o3, p.o4, p.o5);
    let before = array<i32, 6>(p.before0, p.before1, p.before2, p.before3, p.before4, p.before5);
    if i >= p.o0 * p.o1 * p.o2 * p.o3 * p.o4 * p.o5 { return; }
    var rest = i;
    var at = 0u;
    var step = 1u;
    var inside = true;
    for (var axis = 6u; axis > 0u; axis--) {
        let extent = extents[axis - 1u];
        let o = rest % padded[axis - 1u];
        rest /= padded[axis - 1u];
        let s = source(o, before[axis - 1u], i32(extent), padded[axis - 1u]);
        inside = inside && s >= 0 && s < i32(extent);
        at += u32(s) * step;
        step *= extent;
    }
    if inside { y[i] = x[at]; } else { y[i] = p.value; }
}

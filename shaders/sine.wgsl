// y[i] = sin x[i], or cos x[i] if COSINE; any shape, both row-major and seen as vec4s. x = q pi/2 + r with whole q and |r| <=
// pi/4 (Cody and Waite: pi/2 as a sum of three numbers, the first two so short that q times them is exact up to |q| = 2^13); then
// the polynomials of Cephes's sinf.c in r. WGSL's functions are only accurate within pi. The steps are calls of fma, since a
// compiler that may reassociate (Metal's fast math) would add the three numbers up before it multiplies by q; the bound holds
// whether a device fuses them or not.
// One invocation: one vec4. Values are written by their bits, since non-finite arguments give NaN.

struct Params { count4: u32 }

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<u32>>;

override COSINE: bool = false;

fn sine(v: f32) -> u32 {
    if (bitcast<u32>(v) & 0x7f800000u) == 0x7f800000u { return 0x7fc00000u; }
    let q = round(clamp(v * 0.63661977, -1e9, 1e9));
    let r = fma(-q, 7.549789954891882e-8, fma(-q, 4.837512969970703e-4, fma(-q, 1.5703125, v)));
    let s = r * r;
    let odd = r + r * s * ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1);
    let even = 1.0 - 0.5 * s + s * s * ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2);
    let quadrant = (i32(q) + select(0, 1, COSINE)) & 3;
    let size = clamp(select(odd, even, (quadrant & 1) == 1), -1.0, 1.0);
    return bitcast<u32>(select(size, -size, quadrant >= 2));
}

fn compute(i: u32) {
    if i >= p.count4 { return; }
    let v = x[i];
    y[i] = vec4<u32>(sine(v.x), sine(v.y), sine(v.z), sine(v.w));
}

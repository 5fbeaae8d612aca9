// Sine and cosine of an angle less whole quarter turns. v = q pi/2 + r with whole q and |r| <= pi/4 (Cody and Waite: pi/2 as a
// sum of three numbers, the first two so short that q times them is exact up to |q| = 2^13); then the polynomials of Cephes's sinf.c
// in r. WGSL's functions are only accurate within pi. A compiler that may reassociate would add the three numbers up before it multiplies
// by q. So the steps are calls of fma, which Metal's fast math leaves alone, and each hands on its bits, since OpenGL lets a driver
// reassociate even those. The bounds hold whether a device fuses them or not.

// odd = sin r, even = cos r
struct Turned { odd: f32, even: f32, quarters: i32 }

// zero is 0 at run time only.
fn turned(v: f32, zero: u32) -> Turned {
    let q = round(clamp(v * 0.63661977, -1e9, 1e9));
    let first = bitcast<f32>(bitcast<u32>(fma(-q, 1.5703125, v)) ^ zero);
    let second = bitcast<f32>(bitcast<u32>(fma(-q, 4.837512969970703e-4, first)) ^ zero);
    let r = fma(-q, 7.549789954891882e-8, second);
    let s = r * r;
    let odd = r + r * s * ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1);
    let even = 1.0 - 0.5 * s + s * s * ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2);
    return Turned(odd, even, i32(q));
}

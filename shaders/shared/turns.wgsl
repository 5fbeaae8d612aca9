// Sine and cosine of an angle less whole quarter turns. v = q pi/2 + r with whole q and |r| <= pi/4 (Cody and Waite: pi/2 as a
// sum of three numbers, the first two so short that q times them is exact up to |q| = 2^13); then the polynomials of Cephes's sinf.c
// in r. WGSL's functions are only accurate within pi. The steps are calls of fma, since a compiler that may reassociate (Metal's
// fast math) would add the three numbers up before it multiplies by q; the bounds hold whether a device fuses them or not.

// odd = sin r, even = cos r
struct Turned { odd: f32, even: f32, quarters: i32 }

fn turned(v: f32) -> Turned {
    let q = round(clamp(v * 0.63661977, -1e9, 1e9));
    let r = fma(-q, 7.549789954891882e-8, fma(-q, 4.837512969970703e-4, fma(-q, 1.5703125, v)));
    let s = r * r;
    let odd = r + r * s * ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1);
    let even = 1.0 - 0.5 * s + s * s * ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2);
    return Turned(odd, even, i32(q));
}

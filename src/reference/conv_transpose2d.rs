//! Two-dimensional transposed convolution, as `torch.nn.functional.conv_transpose2d`.

use crate::attr::Window;
use crate::parallel;

/// `out[n, oc, iy sy - py + ky dy, ix sx - px + kx dx] += x[n, g ic.., iy, ix] w[ic, oc, ky, kx]`, plus `bias[oc]`, in f64:
/// every input element scatters its window; what falls outside the output is dropped.
///
/// `x` is `[n, ic, ih, iw]`, `w` is `[ic, oc / groups, kh, kw]`; the result is row-major `[n, oc, oh, ow]`.
pub fn conv_transpose2d(
    (x, [n, ic, ih, iw]): (&[f32], [usize; 4]),
    (w, oc): (&[f32], usize),
    bias: Option<&[f32]>,
    window: &Window,
    groups: usize,
    [oh, ow]: [usize; 2],
) -> Vec<f64> {
    let [kh, kw] = window.kernel;
    let (icg, ocg) = (ic / groups, oc / groups);
    let mut out = vec![0f64; n * oc * oh * ow];
    parallel::chunks(&mut out, oh * ow, |plane, out| {
        let (n, oc) = (plane / oc, plane % oc);
        out.fill(bias.map_or(0.0, |b| b[oc].into()));
        for c in oc / ocg * icg..(oc / ocg + 1) * icg {
            let image = &x[(n * ic + c) * ih * iw..][..ih * iw];
            let taps = &w[(c * ocg + oc % ocg) * kh * kw..][..kh * kw];
            for (k, &tap) in taps.iter().enumerate() {
                for iy in 0..ih {
                    let Some(oy) = window.source(0, iy, k / kw, oh) else { continue };
                    for ix in 0..iw {
                        let Some(ox) = window.source(1, ix, k % kw, ow) else { continue };
                        out[oy * ow + ox] += f64::from(image[iy * iw + ix]) * f64::from(tap);
                    }
                }
            }
        }
    });
    out
}

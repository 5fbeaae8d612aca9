//! Two-dimensional cross-correlation, as `torch.nn.functional.conv2d`.

use rayon::prelude::*;

/// How a window moves over an image; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Extents of the kernel.
    pub kernel: [usize; 2],
    /// Steps between outputs.
    pub stride: [usize; 2],
    /// Rows and columns added around the image: top, bottom, left, right.
    pub padding: [usize; 4],
    /// Steps between taps.
    pub dilation: [usize; 2],
}

impl Window {
    /// The extent of the image that one window spans: dilation (kernel - 1) + 1.
    pub fn span(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }
    /// Padding before and after along an axis.
    pub fn pads(&self, axis: usize) -> (usize, usize) {
        (self.padding[2 * axis], self.padding[2 * axis + 1])
    }
    /// The number of full windows along an axis of this extent, or `None` if none fits.
    pub fn outputs(&self, axis: usize, extent: usize) -> Option<usize> {
        let (before, after) = self.pads(axis);
        Some((extent + before + after).checked_sub(self.span(axis))? / self.stride[axis] + 1)
    }
    /// The image row (or column) under tap `k` of output `o`, if it is inside an axis of this extent.
    pub fn source(&self, axis: usize, o: usize, k: usize, extent: usize) -> Option<usize> {
        let padded = o * self.stride[axis] + k * self.dilation[axis];
        padded.checked_sub(self.padding[2 * axis]).filter(|&i| i < extent)
    }
}

/// `out[n, oc, oy, ox] = bias[oc] + sum over ic, ky, kx of x[n, g ic.., iy, ix] w[oc, ic, ky, kx]`, in f64.
///
/// `x` is `[n, ic, ih, iw]`, `w` is `[oc, ic / groups, kh, kw]`; the result is row-major `[n, oc, oh, ow]`.
pub fn conv2d(
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
    if oh * ow == 0 {
        return out;
    }
    out.par_chunks_mut(oh * ow).enumerate().for_each(|(plane, out)| {
        let (n, oc) = (plane / oc, plane % oc);
        out.fill(bias.map_or(0.0, |b| b[oc].into()));
        for c in 0..icg {
            let image = &x[(n * ic + oc / ocg * icg + c) * ih * iw..][..ih * iw];
            for ky in 0..kh {
                for kx in 0..kw {
                    let weight = f64::from(w[((oc * icg + c) * kh + ky) * kw + kx]);
                    let columns = inside(window, kx, iw, ow);
                    for oy in 0..oh {
                        let Some(iy) = window.source(0, oy, ky, ih) else { continue };
                        let row = &image[iy * iw..][..iw];
                        let first = columns.start * window.stride[1] + kx * window.dilation[1];
                        let taps = row.iter().skip(first.saturating_sub(window.padding[2])).step_by(window.stride[1]);
                        for (o, &v) in out[oy * ow..][columns.clone()].iter_mut().zip(taps) {
                            *o += weight * f64::from(v);
                        }
                    }
                }
            }
        }
    });
    out
}

/// The outputs along x for which tap `kx` lies inside the image.
fn inside(window: &Window, kx: usize, iw: usize, ow: usize) -> std::ops::Range<usize> {
    let offset = kx * window.dilation[1];
    let start = window.padding[2].saturating_sub(offset).div_ceil(window.stride[1]);
    let end = (iw + window.padding[2]).saturating_sub(offset).div_ceil(window.stride[1]).min(ow);
    start.min(end)..end
}

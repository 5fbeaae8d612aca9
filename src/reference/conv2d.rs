//! Two-dimensional cross-correlation, as `torch.nn.functional.conv2d`.

use super::products::{Blocks, LANES, Lanes, add};
use crate::attr::Window;
use crate::parallel;

/// The tensors of a convolution: `x` is `[n, ic, ih, iw]`, `w` is `[oc, ic / groups, kh, kw]`, `bias` `[oc]`, the result
/// row-major `[n, oc, oh, ow]`.
#[derive(Clone, Copy)]
pub struct Convolution<'a> {
    /// The image.
    pub x: (&'a [f32], [usize; 4]),
    /// The filters and their number.
    pub w: (&'a [f32], usize),
    /// Added to every sum.
    pub bias: Option<&'a [f32]>,
    /// How the filters move.
    pub window: Window,
    /// The channels are split into this many parts.
    pub groups: usize,
    /// The extents of the result.
    pub size: [usize; 2],
}

/// From this many filters of a group on, sums of several filters are computed together.
const FILTERS: usize = 4;

/// `out[n, oc, oy, ox] = bias[oc] + sum over ic, ky, kx of x[n, g ic.., iy, ix] w[oc, ic, ky, kx]`: every sum in f64, in this
/// order, through `round`.
pub fn conv2d(c: &Convolution<'_>, round: impl Fn(f64) -> f32 + Sync) -> Vec<f32> {
    let (n, oc, plane) = (c.x.1[0], c.w.1, c.size[0] * c.size[1]);
    let mut out = vec![0f32; n * oc * plane];
    if out.is_empty() {
        return out;
    }
    if oc / c.groups >= FILTERS {
        by_filters(c, &mut out, round);
    } else {
        by_planes(c, &mut out, round);
    }
    out
}

/// A plane of one filter at a time, its sums in memory.
fn by_planes(c: &Convolution<'_>, out: &mut [f32], round: impl Fn(f64) -> f32 + Sync) {
    let (x, [_, ic, ih, iw]) = c.x;
    let ((w, oc), [oh, ow], window, [kh, kw]) = (c.w, c.size, &c.window, c.window.kernel);
    let (icg, ocg) = (ic / c.groups, oc / c.groups);
    parallel::chunks(out, oh * ow, |plane, out| {
        let (n, oc) = (plane / oc, plane % oc);
        let mut sums = vec![c.bias.map_or(0.0, |b| f64::from(b[oc])); oh * ow];
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
                        let taps =
                            row.iter().skip(first.saturating_sub(window.padding[1][0])).step_by(window.stride[1]);
                        for (o, &v) in sums[oy * ow..][columns.clone()].iter_mut().zip(taps) {
                            *o += weight * f64::from(v);
                        }
                    }
                }
            }
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = round(sum));
    });
}

/// A pixel of [`LANES`] filters at a time, the image channels-last.
fn by_filters(c: &Convolution<'_>, out: &mut [f32], round: impl Fn(f64) -> f32 + Sync) {
    let (_, [n, ic, ih, iw]) = c.x;
    let ((w, oc), [oh, ow], window, [kh, kw]) = (c.w, c.size, &c.window, c.window.kernel);
    let (icg, ocg, taps) = (ic / c.groups, oc / c.groups, kh * kw);
    // Every group begins at a block.
    let columns = ocg.next_multiple_of(LANES);
    let x = channels_last(c.x);
    let filters = |first: usize| {
        let (group, first) = (first / columns, first % columns);
        let lanes = LANES.min(ocg - first);
        let oc = |lane: usize| group * ocg + first + lane;
        let mut weights = vec![[0.0; LANES]; icg * taps];
        for lane in 0..lanes {
            let filter = &w[oc(lane) * icg * taps..][..icg * taps];
            weights.iter_mut().zip(filter).for_each(|(weights, &w)| weights[lane] = w.into());
        }
        let bias = |lane: usize| c.bias.filter(|_| lane < lanes).map_or(0.0, |b| f64::from(b[oc(lane)]));
        (group, std::array::from_fn(bias), weights)
    };
    let sum = |pixel: usize, (group, bias, weights): &(usize, Lanes, Vec<Lanes>)| {
        let (n, oy, ox) = (pixel / (oh * ow), pixel / ow % oh, pixel % ow);
        let mut inside = Vec::with_capacity(taps);
        for (ky, iy) in (0..kh).filter_map(|ky| Some((ky, window.source(0, oy, ky, ih)?))) {
            for (kx, ix) in (0..kw).filter_map(|kx| Some((kx, window.source(1, ox, kx, iw)?))) {
                let at = ((n * ih + iy) * iw + ix) * ic + group * icg;
                inside.push((ky * kw + kx, &x[at..][..icg]));
            }
        }
        let mut sums = *bias;
        for (c, weights) in weights.chunks_exact(taps).enumerate() {
            inside.iter().for_each(|(tap, x)| add(&mut sums, x[c], &weights[*tap]));
        }
        sums
    };
    let blocks = Blocks::new([n * oh * ow, c.groups * columns], filters, sum, round);
    parallel::chunks(out, oh * ow, |plane, out| {
        let (n, oc) = (plane / oc, plane % oc);
        let (row, column) = (n * oh * ow, oc / ocg * columns + oc % ocg);
        out.iter_mut().enumerate().for_each(|(i, out)| *out = blocks.at(row + i, column));
    });
}

/// An image `[n, c, h, w]` as `[n, h, w, c]`.
fn channels_last((x, [_, c, h, w]): (&[f32], [usize; 4])) -> Vec<f32> {
    let mut out = vec![0f32; x.len()];
    parallel::chunks(&mut out, w * c, |row, out| {
        let (n, y) = (row / h, row % h);
        for (i, pixel) in out.chunks_exact_mut(c).enumerate() {
            pixel.iter_mut().enumerate().for_each(|(c_, v)| *v = x[((n * c + c_) * h + y) * w + i]);
        }
    });
    out
}

/// The outputs along x for which tap `kx` lies inside the image.
fn inside(window: &Window, kx: usize, iw: usize, ow: usize) -> std::ops::Range<usize> {
    let offset = kx * window.dilation[1];
    let start = window.padding[1][0].saturating_sub(offset).div_ceil(window.stride[1]);
    let end = (iw + window.padding[1][0]).saturating_sub(offset).div_ceil(window.stride[1]).min(ow);
    start.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::products::parts;

    /// Numbers of different magnitudes: their sums in f64 round, so that another order gives other bits.
    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| ((i * 7919 + seed * 104_729) % 1009) as f32 / 313.0 - 1.5;
        (0..n).map(|i| number(i) * [1e-4, 1.0, 1e4][i % 3]).collect()
    }

    /// The sums of the definition, term by term.
    fn plain(c: &Convolution<'_>, round: impl Fn(f64) -> f32) -> Vec<f32> {
        let ((x, [n, ic, ih, iw]), (w, oc), [oh, ow], [kh, kw]) = (c.x, c.w, c.size, c.window.kernel);
        let (icg, ocg) = (ic / c.groups, oc / c.groups);
        let one = |i: usize| {
            let (image, filter, oy, ox) = (i / (oc * oh * ow), i / (oh * ow) % oc, i / ow % oh, i % ow);
            let mut sum = c.bias.map_or(0.0, |b| f64::from(b[filter]));
            for k in 0..icg * kh * kw {
                let (channel, ky, kx) = (filter / ocg * icg + k / (kh * kw), k / kw % kh, k % kw);
                if let (Some(iy), Some(ix)) = (c.window.source(0, oy, ky, ih), c.window.source(1, ox, kx, iw)) {
                    let at = ((image * ic + channel) * ih + iy) * iw + ix;
                    sum += f64::from(x[at]) * f64::from(w[filter * icg * kh * kw + k]);
                }
            }
            round(sum)
        };
        (0..n * oc * oh * ow).map(one).collect()
    }

    #[test]
    fn every_way_adds_the_terms_in_one_order() {
        let cases = [
            // n, channels, filters, groups, image, kernel, stride, padding, dilation
            ([2, 5, 19, 1], [7, 6], [3, 3], [1, 1], [[1, 1], [1, 1]], [1, 1]),
            ([1, 6, 40, 2], [9, 8], [3, 2], [2, 1], [[2, 0], [1, 1]], [1, 2]),
            ([3, 33, 17, 1], [1, 1], [1, 1], [1, 1], [[0; 2]; 2], [1, 1]),
            ([1, 4, 4, 4], [5, 5], [5, 5], [1, 2], [[2; 2]; 2], [1, 1]),
        ];
        for ([n, ic, oc, groups], [ih, iw], kernel, stride, padding, dilation) in cases {
            let window = Window { kernel, stride, padding, dilation };
            let size = [window.outputs(0, ih).unwrap(), window.outputs(1, iw).unwrap()];
            let (x, bias) = (numbers(n * ic * ih * iw, 1), numbers(oc, 2));
            let w = numbers(oc * ic / groups * kernel[0] * kernel[1], 3);
            let c = Convolution { x: (&x, [n, ic, ih, iw]), w: (&w, oc), bias: Some(&bias), window, groups, size };
            for part in parts() {
                let expected = plain(&c, part);
                let mut out = vec![0.0; expected.len()];
                by_planes(&c, &mut out, part);
                assert_eq!(out, expected);
                by_filters(&c, &mut out, part);
                assert_eq!(out, expected);
                assert_ne!(plain(&Convolution { bias: None, ..c }, part), expected);
            }
        }
    }
}

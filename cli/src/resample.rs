//! Resizing as PIL does it: a filter along the rows, and then along the columns. It is as wide as the step between new pixels,
//! which avoids aliasing. Only the part that is wanted is computed, with the bits that it has in the whole.

use std::ops::Range;

use image::{ImageBuffer, Rgb};

use crate::picture::Buffer;

/// A part of an image in another size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Width and height of the whole image after resizing.
    pub whole: (u32, u32),
    /// The first column and row.
    pub at: (u32, u32),
    /// Width and height of the part.
    pub size: (u32, u32),
}

impl Part {
    /// All of an image in another size.
    pub fn all(size: (u32, u32)) -> Part {
        Part { whole: size, at: (0, 0), size }
    }
    fn columns(&self) -> Range<u32> {
        self.at.0..self.at.0 + self.size.0
    }
    fn rows(&self) -> Range<u32> {
        self.at.1..self.at.1 + self.size.1
    }
}

/// The weight of a pixel by its distance, in steps, and the distance from which on it is 0.
pub struct Filter {
    weight: fn(f64) -> f64,
    reach: f64,
}

pub const BILINEAR: Filter = Filter { weight: |x| 1.0 - x, reach: 1.0 };

/// Keys' cubic with a = -1/2, which is Catmull and Rom's.
pub const BICUBIC: Filter = Filter {
    weight: |x| {
        let (outer, inner) = (((-0.5 * x + 2.5) * x - 4.0) * x + 2.0, (1.5 * x - 2.5) * x * x + 1.0);
        if x < 1.0 { inner } else { outer }
    },
    reach: 2.0,
};

/// PIL's weights are multiples of 1 / UNITS.
const UNITS: f64 = 4_194_304.0;

/// The pixels that make a new one: the first, and the weights from it on.
struct Taps {
    first: u32,
    weights: Vec<f64>,
}

/// A part of the image in another size. If its pixels are integers they are rounded after the rows and after the columns: PIL's
/// results.
pub fn resize(image: &Buffer, part: &Part, filter: &Filter, integer: bool) -> Buffer {
    let across = taps(image.width(), part.whole.0, part.columns(), filter);
    let down = taps(image.height(), part.whole.1, part.rows(), filter);
    // The rows of the image that the part is made of.
    let first = down.first().map_or(0, |t| t.first);
    let end = down.iter().map(|t| t.first + t.weights.len() as u32).max().unwrap_or(0);
    let (w, h) = part.size;
    let rows: Buffer =
        ImageBuffer::from_fn(w, end - first, |x, y| across[x as usize].sum(|k| image.get_pixel(k, first + y), integer));
    ImageBuffer::from_fn(w, h, |x, y| down[y as usize].sum(|k| rows.get_pixel(x, k - first), integer))
}

/// The taps of these pixels of a line.
fn taps(from: u32, to: u32, wanted: Range<u32>, filter: &Filter) -> Vec<Taps> {
    let step = f64::from(from) / f64::from(to);
    let wide = step.max(1.0);
    let reach = filter.reach * wide;
    let of = |k: u32| {
        let middle = (f64::from(k) + 0.5) * step;
        let first = (middle - reach + 0.5).max(0.0) as u32;
        let end = ((middle + reach + 0.5) as u32).min(from);
        let weight = |x: u32| {
            let distance = ((f64::from(x) - middle + 0.5) / wide).abs();
            if distance < filter.reach { (filter.weight)(distance) } else { 0.0 }
        };
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Taps { first, weights: weights.iter().map(|w| (w / sum * UNITS).round() / UNITS).collect() }
    };
    wanted.map(of).collect()
}

impl Taps {
    fn sum<'a>(&self, pixel: impl Fn(u32) -> &'a Rgb<f32>, integer: bool) -> Rgb<f32> {
        let mut sums = [0.0; 3];
        for (k, weight) in (self.first..).zip(&self.weights) {
            sums.iter_mut().zip(pixel(k).0).for_each(|(sum, v)| *sum += weight * f64::from(v));
        }
        Rgb(sums.map(|v: f64| if integer { (v + 0.5).floor() } else { v }.clamp(0.0, 255.0) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of gray pixels in another length.
    fn line(pixels: &[u8], to: u32, filter: &Filter) -> Vec<f32> {
        let image = ImageBuffer::from_fn(pixels.len() as u32, 1, |x, _| Rgb([f32::from(pixels[x as usize]); 3]));
        resize(&image, &Part::all((to, 1)), filter, true).pixels().map(|p| p[0]).collect()
    }

    /// What PIL 13 gives: `Image.fromarray(numpy.uint8([pixels])).resize((to, 1), filter)`.
    #[test]
    fn results_are_those_of_pil() {
        let pixels = [0, 0, 200, 200, 13, 255, 7];
        let of_pil: [(&[f32], &[f32]); 3] = [
            (&[43.0, 147.0, 115.0], &[41.0, 154.0, 111.0]),
            (&[0.0, 111.0, 166.0, 121.0, 90.0], &[0.0, 118.0, 171.0, 123.0, 92.0]),
            (
                &[0.0, 0.0, 0.0, 108.0, 200.0, 200.0, 145.0, 36.0, 124.0, 245.0, 100.0, 7.0],
                &[0.0, 0.0, 0.0, 110.0, 211.0, 220.0, 146.0, 17.0, 123.0, 254.0, 97.0, 0.0],
            ),
        ];
        for (bilinear, bicubic) in of_pil {
            let to = bilinear.len() as u32;
            assert_eq!((&line(&pixels, to, &BILINEAR)[..], &line(&pixels, to, &BICUBIC)[..]), (bilinear, bicubic));
        }
    }

    #[test]
    fn a_part_has_the_bits_that_it_has_in_the_whole() {
        let image = ImageBuffer::from_fn(23, 17, |x, y| Rgb([f32::from((x * 37 + y * 91) as u8), 7.0, x as f32]));
        for (whole, at, size) in [((50, 9), (11, 3), (20, 4)), ((8, 40), (0, 39), (8, 1))] {
            let all = resize(&image, &Part::all(whole), &BICUBIC, true);
            let part = resize(&image, &Part { whole, at, size }, &BICUBIC, true);
            assert!(part.enumerate_pixels().all(|(x, y, p)| p == all.get_pixel(at.0 + x, at.1 + y)), "{whole:?}");
        }
    }
}

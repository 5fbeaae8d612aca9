//! Converts a picture of a handwritten digit to the form of MNIST: light ink on black, scaled to 20x20, with its centre
//! of mass in the middle of 28x28 (<http://yann.lecun.com/exdb/mnist/>).

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, Luma};

use super::digits::{Digit, SIZE};
use crate::failure::{Failure, Outcome};
use crate::{picture, source};

type Ink = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The longer side of a digit's ink.
const BOX: u32 = 20;
/// Fainter ink does not count for the bounding box.
const FAINT: f32 = 0.25;
/// The smallest difference of ink and paper, on a scale of 255.
const CONTRAST: f32 = 24.0;

/// Reads a digit from an image file.
pub fn read(path: &Path) -> Outcome<Digit> {
    let image = picture::decode(&source::read(path)?).map_err(|e| e.of(path.display()))?;
    digit(&image).ok_or_else(|| Failure::call("no digit found: the picture is all of one tone").of(path.display()))
}

/// The digit of a picture; `None` if it has no contrast.
fn digit(image: &DynamicImage) -> Option<Digit> {
    let ink = cut_out(&ink(image)?)?;
    let (w, h) = ink.dimensions();
    let scale = BOX as f32 / w.max(h) as f32;
    let side = |n: u32| ((n as f32 * scale).round() as u32).clamp(1, BOX);
    let small = imageops::resize(&ink, side(w), side(h), FilterType::Triangle);
    // Restores the contrast: thin strokes become fainter when they are scaled down.
    let darkest = small.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let small = ImageBuffer::from_fn(small.width(), small.height(), |x, y| Luma([small[(x, y)][0] / darkest]));
    Some(centre(&small))
}

/// 0 for paper, 1 for the strongest ink. The border of the picture counts as paper.
fn ink(image: &DynamicImage) -> Option<Ink> {
    let rgba = image.to_rgba32f();
    let tone = ImageBuffer::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, a] = rgba[(x, y)].0;
        // Rec. 709 luma, on white where the picture is transparent.
        Luma([255.0 * (a * (0.2126 * r + 0.7152 * g + 0.0722 * b) + 1.0 - a)])
    });
    let (w, h) = tone.dimensions();
    let at_border = |x: u32, y: u32| x == 0 || y == 0 || x + 1 == w || y + 1 == h;
    let mut border: Vec<f32> =
        tone.enumerate_pixels().filter(|(x, y, _)| at_border(*x, *y)).map(|(_, _, p)| p[0]).collect();
    border.sort_by(f32::total_cmp);
    let paper = *border.get(border.len() / 2)?;
    let darkest = tone.iter().copied().fold(paper, f32::min);
    let lightest = tone.iter().copied().fold(paper, f32::max);
    let strongest = if paper - darkest >= lightest - paper { darkest } else { lightest };
    if (strongest - paper).abs() < CONTRAST {
        return None;
    }
    Some(ImageBuffer::from_fn(w, h, |x, y| Luma([((tone[(x, y)][0] - paper) / (strongest - paper)).clamp(0.0, 1.0)])))
}

/// Crops to the bounding box of the ink.
fn cut_out(ink: &Ink) -> Option<Ink> {
    let inked = || ink.enumerate_pixels().filter(|(_, _, p)| p[0] > FAINT);
    let (left, right) = (inked().map(|(x, _, _)| x).min()?, inked().map(|(x, _, _)| x).max()?);
    let (top, bottom) = (inked().map(|(_, y, _)| y).min()?, inked().map(|(_, y, _)| y).max()?);
    Some(imageops::crop_imm(ink, left, top, right - left + 1, bottom - top + 1).to_image())
}

/// Places the ink with its centre of mass in the middle, as far as it fits.
fn centre(ink: &Ink) -> Digit {
    let mass: f32 = ink.iter().sum();
    let mean = |of: fn(u32, u32) -> u32| {
        ink.enumerate_pixels().map(|(x, y, p)| of(x, y) as f32 * p[0]).sum::<f32>() / mass.max(f32::MIN_POSITIVE)
    };
    let place = |mean: f32, side: u32| {
        let start = (SIZE as f32 / 2.0 - 0.5 - mean).round();
        start.clamp(0.0, (SIZE as u32 - side) as f32) as usize
    };
    let (left, top) = (place(mean(|x, _| x), ink.width()), place(mean(|_, y| y), ink.height()));
    let mut out = vec![0.0; SIZE * SIZE];
    for (x, y, p) in ink.enumerate_pixels() {
        out[(top + y as usize) * SIZE + left + x as usize] = p[0];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bar of 10x40 pixels, off the centre of a picture of 90x70.
    fn bar(ink: u8, paper: u8) -> DynamicImage {
        let inked = |x: u32, y: u32| (60..70).contains(&x) && (5..45).contains(&y);
        ImageBuffer::from_fn(90, 70, |x, y| Luma([if inked(x, y) { ink } else { paper }])).into()
    }

    #[test]
    fn a_bar_is_scaled_to_20_and_centred_whatever_its_tone() {
        let mut expected = vec![0.0; SIZE * SIZE];
        for y in 4..24 {
            expected[y * SIZE..][12..17].fill(1.0);
        }
        // Five columns cannot be centred among 28: columns 12..17 have their middle at 14, half a pixel right of it.
        for (ink, paper) in [(10, 250), (250, 10), (128, 200)] {
            assert_eq!(digit(&bar(ink, paper)).unwrap(), expected, "{ink} on {paper}");
        }
    }

    #[test]
    fn a_picture_of_one_tone_has_no_digit() {
        assert!(digit(&bar(200, 200)).is_none());
        assert!(digit(&bar(200, 205)).is_none());
    }

    #[test]
    fn one_pixel_is_enough() {
        let dot: DynamicImage =
            ImageBuffer::from_fn(3, 3, |x, y| Luma([if (x, y) == (1, 1) { 0u8 } else { 255 }])).into();
        assert_eq!(digit(&dot).unwrap().iter().sum::<f32>(), 400.0);
    }
}

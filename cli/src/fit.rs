//! The shape of an image as a network's input: resized, cut, framed.

use std::str::FromStr;

use clap::ValueEnum;
use convgpu::internals::memory::afford;
use image::imageops;
use image::{ImageBuffer, Rgb};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::picture::{self, Axes, Buffer};
use crate::resample::{BICUBIC, BILINEAR, Part, resize};

/// How an image gets the shape of the input.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Fit {
    /// Both sides are resized: a circle may become an ellipse
    Stretch,
    /// Resized to cover the input, and the middle cut out
    Crop,
    /// Resized to fit into the input, with borders
    Pad,
}

/// How a resized image gets its pixels.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Interpolation {
    /// A triangle as wide as the step between new pixels: antialiased, as PIL does
    Bilinear,
    /// A cubic (Catmull-Rom), as wide as that
    Bicubic,
    /// The pixel in which the middle of the new one lies
    Nearest,
}

/// `N` or `WxH`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    Side(u32),
    Size(u32, u32),
}

impl FromStr for Extent {
    type Err = String;
    fn from_str(s: &str) -> Result<Extent, String> {
        let number = |n: &str| match n.parse() {
            Ok(n @ 1..=65535) => Ok(n),
            _ => Err("expected N or WxH, 1 to 65535".to_owned()),
        };
        match s.split_once(['x', 'X']) {
            Some((w, h)) => Ok(Extent::Size(number(w)?, number(h)?)),
            None => Ok(Extent::Side(number(s)?)),
        }
    }
}

/// What is asked of the shape of an image.
#[derive(Clone, Copy, Debug)]
pub struct Shaping {
    pub resize: Option<Extent>,
    pub crop: Option<Extent>,
    pub fit: Option<Fit>,
    /// The pixel value of borders.
    pub fill: u8,
    /// Of a preset: the short side, and the side of the square that is cut out.
    pub cut: Option<(u32, u32)>,
    pub interpolation: Interpolation,
    /// Whether the pixels are integers; then resized ones are, too.
    pub integer: bool,
}

impl Shaping {
    /// The image resized and cut as the options, or the preset, or else the input's size ask for.
    pub fn apply(&self, image: Buffer, axes: &Axes) -> Outcome<Buffer> {
        let (w, h) = image.dimensions();
        let fixed = |n: Option<usize>| n.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let (wide, high) = (fixed(axes.width), fixed(axes.height));
        let to = |image, size| self.part(image, &Part::all(size));
        if self.resize.is_some() || self.crop.is_some() || (self.cut.is_some() && self.fit.is_none()) {
            // What the options leave open is the preset's.
            let cut = match (self.crop, self.cut) {
                (Some(Extent::Side(n)), _) => Some((n, n)),
                (Some(Extent::Size(w, h)), _) => Some((w, h)),
                (None, preset) => preset.map(|(_, cut)| (wide.unwrap_or(cut), high.unwrap_or(cut))),
            };
            let size = match (self.resize, self.cut, cut) {
                (Some(Extent::Size(w, h)), ..) => (w, h),
                (Some(Extent::Side(n)), ..) => short_side((w, h), n),
                (None, Some((side, of)), Some(cut)) => {
                    // As in timm, rounded down.
                    let short = u64::from(cut.0.max(cut.1)) * u64::from(side) / u64::from(of);
                    short_side((w, h), u32::try_from(short).unwrap_or(u32::MAX))
                }
                (None, ..) => (w, h),
            };
            let option = if self.crop.is_some() { "--crop " } else { "" };
            return match cut {
                None => to(image, size),
                Some(cut) => self.part(image, &middle(size, cut, option)?),
            };
        }
        match (self.fit, wide, high) {
            (Some(Fit::Crop), Some(tw), Some(th)) => {
                let scale = (f64::from(tw) / f64::from(w)).max(f64::from(th) / f64::from(h));
                let whole = scaled((w, h), scale, |a, b| a.max(b), (tw, th));
                self.part(image, &middle(whole, (tw, th), "")?)
            }
            (Some(Fit::Pad), Some(tw), Some(th)) => {
                let scale = (f64::from(tw) / f64::from(w)).min(f64::from(th) / f64::from(h));
                room((tw, th), 0)?;
                let inner = to(image, scaled((w, h), scale, |a, b| a.min(b), (tw, th)))?;
                Ok(padded(&inner, (tw, th), self.fill))
            }
            // One open side follows the other, so that the shape stays.
            (Some(Fit::Crop | Fit::Pad), Some(tw), None) => to(image, (tw, proportional(h, tw, w))),
            (Some(Fit::Crop | Fit::Pad), None, Some(th)) => to(image, (proportional(w, th, h), th)),
            _ => {
                let (tw, th) = (wide.unwrap_or(w), high.unwrap_or(h));
                let ratio = f64::from(tw) * f64::from(h) / (f64::from(th) * f64::from(w));
                if self.fit.is_none() && !(0.98..=1.02).contains(&ratio) {
                    console::hint(format!(
                        "an image of {w}x{h} was stretched to {tw}x{th}; --fit crop or --fit pad keeps its shape"
                    ));
                }
                to(image, (tw, th))
            }
        }
    }

    /// A part of the image in another size.
    fn part(&self, image: Buffer, part: &Part) -> Outcome<Buffer> {
        if *part == Part::all(image.dimensions()) {
            return Ok(image);
        }
        room(part.size, image.height())?;
        let (x, y, (w, h)) = (part.at.0, part.at.1, part.size);
        Ok(match self.interpolation {
            _ if part.whole == image.dimensions() => imageops::crop_imm(&image, x, y, w, h).to_image(),
            Interpolation::Bilinear => resize(&image, part, &BILINEAR, self.integer),
            Interpolation::Bicubic => resize(&image, part, &BICUBIC, self.integer),
            Interpolation::Nearest => nearest(&image, part),
        })
    }
}

/// An error unless there is memory for an image of this size, and for as many rows of its width in between.
fn room((w, h): (u32, u32), rows: u32) -> Outcome<()> {
    picture::check(w, h)?;
    let pixels = u64::from(w) * (u64::from(h) + u64::from(rows));
    Ok(afford(pixels * size_of::<Rgb<f32>>() as u64, || format!("an image of {w}x{h}"))?)
}

/// The size whose short side is n. As in torchvision, the long side is rounded down.
fn short_side((w, h): (u32, u32), n: u32) -> (u32, u32) {
    let long = |a: u32, b: u32| u32::try_from(u64::from(n) * u64::from(a) / u64::from(b)).unwrap_or(u32::MAX);
    if w < h { (n, long(h, w)) } else { (long(w, h), n) }
}

/// A size times a factor, rounded, with the target as the least or the most.
fn scaled((w, h): (u32, u32), by: f64, limit: fn(u32, u32) -> u32, (tw, th): (u32, u32)) -> (u32, u32) {
    let side = |n: u32, t: u32| limit((f64::from(n) * by).round() as u32, t).max(1);
    (side(w, tw), side(h, th))
}

fn proportional(side: u32, to: u32, of: u32) -> u32 {
    (f64::from(side) * f64::from(to) / f64::from(of)).round().max(1.0) as u32
}

/// Every pixel is the one in which its middle lies.
fn nearest(image: &Buffer, part: &Part) -> Buffer {
    let at = |k: u32, to: u32, of: u32| {
        let middle = (2 * u64::from(k) + 1) * u64::from(of) / (2 * u64::from(to));
        u32::try_from(middle).expect("it is less than `of`")
    };
    ImageBuffer::from_fn(part.size.0, part.size.1, |x, y| {
        let (x, y) = (part.at.0 + x, part.at.1 + y);
        *image.get_pixel(at(x, part.whole.0, image.width()), at(y, part.whole.1, image.height()))
    })
}

/// The middle of a resized image. As in torchvision, half a pixel is rounded to the even offset.
fn middle((w, h): (u32, u32), (cw, ch): (u32, u32), option: &str) -> Outcome<Part> {
    if cw > w || ch > h {
        return Err(Failure::call(format!("{option}{cw}x{ch} exceeds the image, which is {w}x{h}")));
    }
    let half = |n: u32| n / 2 + u32::from(n % 4 == 3);
    Ok(Part { whole: (w, h), at: (half(w - cw), half(h - ch)), size: (cw, ch) })
}

/// An image in the middle of a larger one.
fn padded(image: &Buffer, (w, h): (u32, u32), fill: u8) -> Buffer {
    let mut out = ImageBuffer::from_pixel(w, h, Rgb([f32::from(fill); 3]));
    imageops::replace(&mut out, image, i64::from((w - image.width()) / 2), i64::from((h - image.height()) / 2));
    out
}

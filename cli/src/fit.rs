//! The shape of an image as a network's input: resized, cut, framed.

use std::str::FromStr;

use clap::ValueEnum;
use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::picture::{Axes, Buffer, STEPS};

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
    pub filter: FilterType,
}

impl Shaping {
    /// The image resized and cut as the options, or the preset, or else the input's size ask for. The filter is as wide as the
    /// step, which avoids aliasing.
    pub fn apply(&self, image: &Buffer, axes: &Axes) -> Outcome<Buffer> {
        let (w, h) = image.dimensions();
        let fixed = |n: Option<usize>| n.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let (wide, high) = (fixed(axes.width), fixed(axes.height));
        let resize = |size| resized(image, size, self.filter);
        if self.resize.is_some() || self.crop.is_some() {
            let size = match self.resize {
                None => (w, h),
                Some(Extent::Size(w, h)) => (w, h),
                Some(Extent::Side(n)) => short_side((w, h), n),
            };
            return match self.crop {
                None => resize(size),
                Some(Extent::Side(n)) => middle(&resize(size)?, (n, n), "--crop "),
                Some(Extent::Size(w, h)) => middle(&resize(size)?, (w, h), "--crop "),
            };
        }
        match (self.fit, self.cut, wide, high) {
            (None, Some((side, cut)), _, _) => {
                let size = (wide.unwrap_or(cut), high.unwrap_or(cut));
                let short = (u64::from(size.0.max(size.1)) * u64::from(side)).div_ceil(u64::from(cut));
                middle(&resize(short_side((w, h), u32::try_from(short).unwrap_or(u32::MAX)))?, size, "")
            }
            (Some(Fit::Crop), _, Some(tw), Some(th)) => {
                let scale = (f64::from(tw) / f64::from(w)).max(f64::from(th) / f64::from(h));
                middle(&resize(scaled((w, h), scale, |a, b| a.max(b), (tw, th)))?, (tw, th), "")
            }
            (Some(Fit::Pad), _, Some(tw), Some(th)) => {
                let scale = (f64::from(tw) / f64::from(w)).min(f64::from(th) / f64::from(h));
                padded(&resize(scaled((w, h), scale, |a, b| a.min(b), (tw, th)))?, (tw, th), self.fill)
            }
            // One open side follows the other, so that the shape stays.
            (Some(Fit::Crop | Fit::Pad), _, Some(tw), None) => resize((tw, proportional(h, tw, w))),
            (Some(Fit::Crop | Fit::Pad), _, None, Some(th)) => resize((proportional(w, th, h), th)),
            _ => {
                let (tw, th) = (wide.unwrap_or(w), high.unwrap_or(h));
                let ratio = f64::from(tw) * f64::from(h) / (f64::from(th) * f64::from(w));
                if self.fit.is_none() && !(0.98..=1.02).contains(&ratio) {
                    console::hint(format!(
                        "an image of {w}x{h} was stretched to {tw}x{th}; --fit crop or --fit pad keeps its shape"
                    ));
                }
                resize((tw, th))
            }
        }
    }
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

fn resized(image: &Buffer, (w, h): (u32, u32), filter: FilterType) -> Outcome<Buffer> {
    if u64::from(w) * u64::from(h) > 1 << 28 {
        return Err(Failure::call(format!("an image of {w}x{h} is too large")));
    }
    Ok(if (w, h) == image.dimensions() { image.clone() } else { imageops::resize(image, w, h, filter) })
}

/// The middle of an image.
fn middle(image: &Buffer, (cw, ch): (u32, u32), option: &str) -> Outcome<Buffer> {
    let (w, h) = image.dimensions();
    if cw > w || ch > h {
        return Err(Failure::call(format!("{option}{cw}x{ch} exceeds the image, which is {w}x{h}")));
    }
    Ok(imageops::crop_imm(image, (w - cw) / 2, (h - ch) / 2, cw, ch).to_image())
}

/// An image in the middle of a larger one.
fn padded(image: &Buffer, (w, h): (u32, u32), fill: u8) -> Outcome<Buffer> {
    let mut out = ImageBuffer::from_pixel(w, h, Rgb([f32::from(fill) / STEPS; 3]));
    imageops::replace(&mut out, image, i64::from((w - image.width()) / 2), i64::from((h - image.height()) / 2));
    Ok(out)
}

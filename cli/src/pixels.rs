//! Images as network inputs, and network outputs as images.

use std::path::Path;
use std::str::FromStr;

use clap::Args as ClapArgs;
use convgpu::Tensor;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, Rgb};

use crate::failure::{Failure, Outcome};

/// How the pixels of an image become values: (pixel * scale - mean) / std, the pixel being 0 to 255
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct PixelArgs {
    /// Factor of a pixel's 0..255 [default: 1/255]
    #[arg(long, value_name = "S")]
    scale: Option<f32>,
    /// Subtracted after scaling: one number, or one per channel in the network's order
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_hyphen_values = true)]
    mean: Vec<f32>,
    /// Divides after subtracting: one number, or one per channel in the network's order
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_hyphen_values = true)]
    std: Vec<f32>,
    /// The network's channels are blue, green, red
    #[arg(long)]
    pub bgr: bool,
    /// Resize so that the short side is N, or to WxH
    #[arg(long, value_name = "N|WxH")]
    resize: Option<Extent>,
    /// Then cut NxN, or WxH, out of the middle
    #[arg(long, value_name = "N|WxH")]
    crop: Option<Extent>,
}

/// `N` or `WxH`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
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

/// The axes of a tensor that is an image.
#[derive(Clone, Debug, PartialEq)]
struct Axes {
    /// The number of axes before the image: a batch of 1.
    lead: usize,
    channels: usize,
    /// Channels come after height and width.
    channels_last: bool,
    height: Option<usize>,
    width: Option<usize>,
}

/// The axes of a declared shape (`None`: any extent): `[N, C, H, W]`, `[N, H, W, C]`, both without N, or `[H, W]`.
fn axes(dims: &[Option<usize>]) -> Outcome<Axes> {
    let channel = |d: Option<usize>| d.filter(|n| [1, 3].contains(n));
    let (lead, image) = match dims.len() {
        2 | 3 => (0, dims),
        4 if dims[0].is_none_or(|n| n == 1) => (1, &dims[1..]),
        4 => return Err(Failure::call("an image is a batch of 1; give an .npy file")),
        _ => return Err(Failure::call("only an input of 2 to 4 dimensions can be an image; give an .npy file")),
    };
    let axes = |channels, channels_last, height, width| Axes { lead, channels, channels_last, height, width };
    match *image {
        [h, w] => Ok(axes(1, false, h, w)),
        [c, h, w] if channel(c).is_some() => Ok(axes(c.unwrap_or(3), false, h, w)),
        [h, w, c] if channel(c).is_some() => Ok(axes(c.unwrap_or(3), true, h, w)),
        [None, h, w] => Ok(axes(3, false, h, w)),
        _ => Err(Failure::call("an image has 1 or 3 channels; give an .npy file")),
    }
}

/// Reads an image file as an input of this declared shape.
pub fn read(path: &Path, args: &PixelArgs, dims: Option<&[Option<usize>]>) -> Outcome<Tensor> {
    let wrong = |e: String| Failure::call(e).of(path.display());
    let reader = image::ImageReader::open(path).and_then(|r| r.with_guessed_format());
    let image = reader.map_err(|e| wrong(e.to_string()))?.decode();
    let image = image.map_err(|e| wrong(format!("neither an .npy file nor an image that is readable ({e})")))?;
    let open = [Some(1), None, None, None];
    tensor(&image, args, dims.unwrap_or(&open)).map_err(|e| e.of(path.display()))
}

fn tensor(image: &DynamicImage, args: &PixelArgs, dims: &[Option<usize>]) -> Outcome<Tensor> {
    let axes = axes(dims)?;
    let c = axes.channels;
    let shaped = shape(to_buffer(image, c), args, &axes)?;
    let (w, h) = (shaped.width() as usize, shaped.height() as usize);
    if axes.height.is_some_and(|n| n != h) || axes.width.is_some_and(|n| n != w) {
        let dim = |n: Option<usize>| n.map_or("?".to_owned(), |n| n.to_string());
        let wanted = format!("{}x{}", dim(axes.width), dim(axes.height));
        return Err(Failure::call(format!(
            "the image is {w}x{h} after --resize and --crop, but the input is {wanted}"
        )));
    }
    let channel = |name, given: &[f32], default: f32| match given.len() {
        0 => Ok(vec![default; c]),
        1 => Ok(vec![given[0]; c]),
        n if n == c => Ok(given.to_vec()),
        n => Err(Failure::call(format!("--{name} has {n} numbers, but the input has {c} channels"))),
    };
    let (mean, std) = (channel("mean", &args.mean, 0.0)?, channel("std", &args.std, 1.0)?);
    if std.contains(&0.0) {
        return Err(Failure::call("--std must not be 0"));
    }
    let scale = args.scale.unwrap_or(1.0 / 255.0);
    let value = |ic: usize, y: usize, x: usize| {
        let source = if args.bgr { c - 1 - ic } else { ic };
        let pixel = shaped.get_pixel(x as u32, y as u32).0[source] * STEPS;
        (pixel * scale - mean[ic]) / std[ic]
    };
    let mut values = Vec::with_capacity(c * h * w);
    let mut shape = vec![1; axes.lead];
    if axes.channels_last {
        (0..h * w * c).for_each(|i| values.push(value(i % c, i / c / w, i / c % w)));
        shape.extend([h, w, c]);
    } else {
        (0..c * h * w).for_each(|i| values.push(value(i / (h * w), i / w % h, i % w)));
        shape.extend([c, h, w]);
    }
    if dims.len() == 2 {
        shape = vec![h, w];
    }
    Ok(Tensor::new(shape, values)?)
}

type Buffer = ImageBuffer<Rgb<f32>, Vec<f32>>;

/// Pixels are stored as multiples of 1/256: exact, and within 0..1, to which resizing clamps.
const STEPS: f32 = 256.0;

fn to_buffer(image: &DynamicImage, channels: usize) -> Buffer {
    if channels == 1 {
        let gray = image.to_luma8();
        return ImageBuffer::from_fn(gray.width(), gray.height(), |x, y| Rgb([f32::from(gray[(x, y)][0]) / STEPS; 3]));
    }
    let rgb = image.to_rgb8();
    ImageBuffer::from_fn(rgb.width(), rgb.height(), |x, y| Rgb(rgb[(x, y)].0.map(|v| f32::from(v) / STEPS)))
}

/// Resizes and crops as requested, or else resizes to the input's size. The filter is a triangle as wide as the step,
/// which avoids aliasing.
fn shape(image: Buffer, args: &PixelArgs, axes: &Axes) -> Outcome<Buffer> {
    let (w, h) = image.dimensions();
    let size = |n: Option<usize>, own: u32| n.map_or(own, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let (w2, h2) = match (args.resize, args.crop) {
        (None, None) => (size(axes.width, w), size(axes.height, h)),
        (None, Some(_)) => (w, h),
        (Some(Extent::Size(w, h)), _) => (w, h),
        // As in torchvision, the long side is rounded down.
        (Some(Extent::Side(n)), _) => {
            let (n, w, h) = (u64::from(n), u64::from(w), u64::from(h));
            let long = |a: u64, b: u64| u32::try_from(n * a / b).unwrap_or(u32::MAX);
            if w < h { (n as u32, long(h, w)) } else { (long(w, h), n as u32) }
        }
    };
    if u64::from(w2) * u64::from(h2) > 1 << 28 {
        return Err(Failure::call(format!("an image of {w2}x{h2} is too large")));
    }
    let resized = if (w2, h2) == (w, h) { image } else { imageops::resize(&image, w2, h2, FilterType::Triangle) };
    let (cw, ch) = match args.crop {
        None => return Ok(resized),
        Some(Extent::Side(n)) => (n, n),
        Some(Extent::Size(w, h)) => (w, h),
    };
    if cw > w2 || ch > h2 {
        return Err(Failure::call(format!("--crop {cw}x{ch} exceeds the image, which is {w2}x{h2}")));
    }
    Ok(imageops::crop_imm(&resized, (w2 - cw) / 2, (h2 - ch) / 2, cw, ch).to_image())
}

/// Writes an output of 1 or 3 channels as an image: pixel = value * scale, rounded and clamped to 0..255.
pub fn write(path: &Path, tensor: &Tensor, scale: f32, bgr: bool) -> Outcome<()> {
    let image = image_of(tensor, scale, bgr)?;
    image.save(path).map_err(|e| Failure::run(format!("{}: {e}", path.display())))
}

fn image_of(tensor: &Tensor, scale: f32, bgr: bool) -> Outcome<DynamicImage> {
    let wrong = |e: Failure| e.of(format!("the output {} is not an image", tensor.desc()));
    let dims: Vec<_> = tensor.shape().iter().map(|&n| Some(n)).collect();
    let axes = axes(&dims).map_err(wrong)?;
    let (c, h, w) = (axes.channels, axes.height.unwrap_or(0), axes.width.unwrap_or(0));
    let values = tensor.as_f32()?;
    let pixel = |ic: usize, y: usize, x: usize| {
        let i = if axes.channels_last { (y * w + x) * c + ic } else { (ic * h + y) * w + x };
        (values[i] * scale).round().clamp(0.0, 255.0) as u8
    };
    let at = |k: usize, x: u32, y: u32| pixel(if bgr { c - 1 - k } else { k }, y as usize, x as usize);
    let (w32, h32) = (w as u32, h as u32);
    Ok(match c {
        1 => ImageBuffer::from_fn(w32, h32, |x, y| image::Luma([at(0, x, y)])).into(),
        _ => ImageBuffer::from_fn(w32, h32, |x, y| Rgb([at(0, x, y), at(1, x, y), at(2, x, y)])).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: PixelArgs =
        PixelArgs { scale: Some(1.0), mean: vec![], std: vec![], bgr: false, resize: None, crop: None };

    /// 3 wide, 2 high: red 10 x + y, green 100, blue 200 + x.
    fn picture() -> DynamicImage {
        ImageBuffer::from_fn(3, 2, |x, y| Rgb([(10 * x + y) as u8, 100, 200 + x as u8])).into()
    }

    #[test]
    fn channels_come_first_or_last_as_the_input_has_them() {
        let first = tensor(&picture(), &PLAIN, &[Some(1), Some(3), None, None]).unwrap();
        assert_eq!(first.shape(), [1, 3, 2, 3]);
        assert_eq!(first.as_f32().unwrap()[..6], [0.0, 10.0, 20.0, 1.0, 11.0, 21.0]);
        let last = tensor(&picture(), &PLAIN, &[None, None, None, Some(3)]).unwrap();
        assert_eq!(last.shape(), [1, 2, 3, 3]);
        assert_eq!(last.as_f32().unwrap()[..6], [0.0, 100.0, 200.0, 10.0, 100.0, 201.0]);
    }

    #[test]
    fn values_are_scaled_in_the_networks_channel_order() {
        let args = PixelArgs { bgr: true, mean: vec![104.0, 117.0, 123.0], std: vec![2.0], ..PLAIN };
        let t = tensor(&picture(), &args, &[Some(1), Some(3), Some(2), Some(3)]).unwrap();
        assert_eq!(t.as_f32().unwrap()[..3], [48.0, 48.5, 49.0]);
        assert_eq!(t.as_f32().unwrap()[12..15], [-61.5, -56.5, -51.5]);
        let default = PixelArgs { scale: None, ..PLAIN };
        let t = tensor(&picture(), &default, &[Some(1), Some(3), Some(2), Some(3)]).unwrap();
        assert!((t.as_f32().unwrap()[6] - 100.0 / 255.0).abs() < 1e-7);
    }

    #[test]
    fn one_channel_is_gray() {
        let white: DynamicImage = ImageBuffer::from_pixel(4, 5, Rgb([255u8, 255, 255])).into();
        let t = tensor(&white, &PLAIN, &[Some(1), Some(1), None, None]).unwrap();
        assert_eq!((t.shape(), t.as_f32().unwrap()[7]), (&[1, 1, 5, 4][..], 255.0));
        assert_eq!(tensor(&white, &PLAIN, &[None, None]).unwrap().shape(), [5, 4]);
    }

    #[test]
    fn the_short_side_is_resized_and_the_middle_cut_out() {
        let wide: DynamicImage = ImageBuffer::from_fn(101, 50, |x, _| Rgb([x as u8, 0, 0])).into();
        let args = PixelArgs { resize: Some(Extent::Side(50)), crop: Some(Extent::Size(21, 30)), ..PLAIN };
        let t = tensor(&wide, &args, &[Some(1), Some(3), Some(30), Some(21)]).unwrap();
        assert_eq!(t.as_f32().unwrap()[0], 40.0);
        let args = PixelArgs { resize: Some(Extent::Side(20)), ..PLAIN };
        assert_eq!(tensor(&wide, &args, &[Some(1), Some(3), None, None]).unwrap().shape(), [1, 3, 20, 40]);
        let unasked = tensor(&wide, &PLAIN, &[Some(1), Some(3), Some(7), Some(9)]).unwrap();
        assert_eq!(unasked.shape(), [1, 3, 7, 9]);
    }

    #[test]
    fn smaller_images_have_no_aliases() {
        let stripes: DynamicImage = ImageBuffer::from_fn(64, 64, |x, _| Rgb([255 * (x % 2) as u8; 3])).into();
        let t = tensor(&stripes, &PLAIN, &[Some(1), Some(3), Some(8), Some(8)]).unwrap();
        assert!(t.as_f32().unwrap().iter().all(|v| (v - 127.5).abs() < 10.0), "{t:?}");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let nchw = [Some(1), Some(3), Some(5), Some(5)];
        let bad = |args: PixelArgs, dims: &[Option<usize>]| tensor(&picture(), &args, dims).unwrap_err().to_string();
        assert!(bad(PLAIN, &[Some(2), Some(3), None, None]).contains("batch of 1"));
        assert!(bad(PLAIN, &[Some(1), Some(7), Some(5), Some(5)]).contains("1 or 3 channels"));
        assert!(bad(PLAIN, &[Some(1000)]).contains("2 to 4 dimensions"));
        assert!(bad(PixelArgs { mean: vec![1.0, 2.0], ..PLAIN }, &nchw).contains("--mean has 2"));
        assert!(bad(PixelArgs { std: vec![0.0], ..PLAIN }, &nchw).contains("--std"));
        assert!(bad(PixelArgs { crop: Some(Extent::Side(4)), ..PLAIN }, &nchw).contains("exceeds"));
        assert!(bad(PixelArgs { resize: Some(Extent::Size(6, 5)), ..PLAIN }, &nchw).contains("6x5"));
        assert!("0".parse::<Extent>().is_err() && "3x".parse::<Extent>().is_err());
        assert_eq!("12x7".parse(), Ok(Extent::Size(12, 7)));
    }

    #[test]
    fn outputs_become_pixels_clamped() {
        let t = Tensor::new([1, 3, 1, 2], vec![0.5f32, 2.0, -1.0, 0.0, 1.0, f32::NAN]).unwrap();
        let rgb = image_of(&t, 255.0, false).unwrap().to_rgb8();
        assert_eq!((rgb[(0, 0)].0, rgb[(1, 0)].0), ([128, 0, 255], [255, 0, 0]));
        assert_eq!(image_of(&t, 255.0, true).unwrap().to_rgb8()[(0, 0)].0, [255, 0, 128]);
        assert!(image_of(&Tensor::zeros([1, 5, 2, 2]), 1.0, false).is_err());
    }
}

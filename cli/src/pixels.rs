//! Images as network inputs.

use std::ops::Range;

use clap::Args as ClapArgs;
use convgpu::internals::memory::afford;
use convgpu::{DType, Tensor};
use image::DynamicImage;

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::fit::{Extent, Fit, Interpolation, Shaping};
use crate::numbers::finite;
use crate::picture::{Axes, axes, is_deep, pixels};
use crate::preset::{Constants, Preset, names};

/// How the pixels of an image become values: (pixel * scale - mean) / std, the pixel being 0 to 255
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct PixelArgs {
    /// What the network was trained with; the options below replace parts of it
    #[arg(long, value_name = "PRESET")]
    preprocess: Option<Preset>,
    /// Factor of a pixel's 0..255, such as 1/255 [default: 1/255, or 1 for an input of integers]; for (pixel - 127) / 128 give
    /// --scale 1 --mean 127 --std 128
    #[arg(long, value_name = "S", value_parser = finite, allow_hyphen_values = true)]
    scale: Option<f32>,
    /// Subtracted after scaling: one number, or one per channel in the network's order
    #[arg(long, value_name = "A,B,C", value_parser = finite, value_delimiter = ',', allow_hyphen_values = true)]
    mean: Vec<f32>,
    /// Divides after subtracting: one number, or one per channel in the network's order
    #[arg(long, value_name = "A,B,C", value_parser = finite, value_delimiter = ',', allow_hyphen_values = true)]
    std: Vec<f32>,
    /// The network's channels are blue, green, red
    #[arg(long)]
    bgr: bool,
    /// Resize so that the short side is N, or to WxH
    #[arg(long, value_name = "N|WxH")]
    resize: Option<Extent>,
    /// Then cut NxN, or WxH, out of the middle
    #[arg(long, value_name = "N|WxH")]
    crop: Option<Extent>,
    /// How an image is made to fit an input of another shape [default: stretch]
    #[arg(long, conflicts_with_all = ["resize", "crop"])]
    fit: Option<Fit>,
    /// How a resized image gets its pixels [default: that of the preset, or bilinear]; many models of timm want bicubic
    #[arg(long)]
    interpolation: Option<Interpolation>,
    /// The pixel value of the borders of --fit pad [default: 0]
    #[arg(long, value_name = "V", value_parser = byte, requires = "fit")]
    fill: Option<u8>,
}

fn byte(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| "not an integer of 0 to 255".to_owned())
}

/// What a model says about the pixels that it takes: ONNX's metadata `Image.BitmapPixelFormat` and
/// `Image.NominalPixelRange` (<https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md>).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    bgr: Option<bool>,
    /// Scale, and the mean and std after it.
    range: Option<(f32, f32, f32)>,
}

impl Told {
    pub fn by<'a>(metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> Told {
        let mut told = Told::default();
        for (key, value) in metadata {
            match (key, value) {
                ("Image.BitmapPixelFormat", format) => told.bgr = Some(format.starts_with("Bgr")),
                ("Image.NominalPixelRange", "NominalRange_0_255") => told.range = Some((1.0, 0.0, 1.0)),
                ("Image.NominalPixelRange", "Normalized_0_1") => told.range = Some((1.0 / 255.0, 0.0, 1.0)),
                ("Image.NominalPixelRange", "Normalized_1_1") => told.range = Some((1.0 / 255.0, 0.5, 0.5)),
                // 16 is black and 235 is white.
                ("Image.NominalPixelRange", "NominalRange_16_235") => told.range = Some((219.0 / 255.0, -16.0, 1.0)),
                _ => {}
            }
        }
        told
    }
}

impl PixelArgs {
    /// The options that are given, by name.
    pub fn given(&self) -> Vec<&'static str> {
        let all = [
            ("--preprocess", self.preprocess.is_some()),
            ("--scale", self.scale.is_some()),
            ("--mean", !self.mean.is_empty()),
            ("--std", !self.std.is_empty()),
            ("--bgr", self.bgr),
            ("--resize", self.resize.is_some()),
            ("--crop", self.crop.is_some()),
            ("--fit", self.fit.is_some()),
            ("--interpolation", self.interpolation.is_some()),
            ("--fill", self.fill.is_some()),
        ];
        all.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }

    /// Whether the network's channels are blue, green, red.
    pub fn bgr(&self, told: Told) -> bool {
        self.bgr || self.preprocess.map_or(told.bgr == Some(true), |p| p.constants().bgr)
    }

    /// What the pixels of an input of this type became, and the presets, if nothing says how the network was trained.
    pub fn hint(&self, told: Told, dtype: DType) -> Option<String> {
        let became = if self.constants(told, dtype.is_integer()).scale == 1.0 {
            format!("pixels stay 0..255, as the input is {dtype}")
        } else {
            "pixels became 0..1".to_owned()
        };
        let of_shape = |option: &&str| ["--fit", "--interpolation", "--fill"].contains(option);
        let known = told.range.is_some() || !self.given().iter().all(of_shape);
        (!known).then(|| {
            let options = format!("--preprocess {} or --mean, --std, --scale", names());
            format!("{became}; if the network was trained with others, give {options}")
        })
    }

    /// Says which options have nothing to do for an input with these axes.
    fn note_idle(&self, axes: &Axes) {
        if self.bgr && axes.channels == 1 {
            console::hint("--bgr: the input has one channel".to_owned());
        }
        if self.fill.is_some() && self.fit != Some(Fit::Pad) {
            console::hint("--fill: only --fit pad has borders".to_owned());
        }
        if self.fit.is_some() && axes.height.is_none() && axes.width.is_none() {
            console::hint("--fit: the size of the input is open, so the image keeps its own".to_owned());
        }
    }

    fn shaping(&self, constants: &Constants, integer: bool) -> Shaping {
        let PixelArgs { resize, crop, fit, .. } = *self;
        let fill = self.fill.unwrap_or(0);
        let interpolation = self.interpolation.unwrap_or(constants.interpolation);
        Shaping { resize, crop, fit, fill, cut: constants.cut, interpolation, integer }
    }

    fn constants(&self, told: Told, integer: bool) -> Constants {
        if let Some(preset) = self.preprocess {
            return preset.constants();
        }
        let plain =
            if integer { Preset::Raw.constants() } else { Constants { scale: 1.0 / 255.0, ..Preset::Raw.constants() } };
        let ranged = match told.range {
            Some((scale, mean, std)) if !integer => Constants { scale, mean: [mean; 3], std: [std; 3], ..plain },
            _ => plain,
        };
        Constants { bgr: told.bgr == Some(true), ..ranged }
    }
}

/// The values of an image for an input of this declared shape and type.
pub fn tensor(
    image: DynamicImage,
    args: &PixelArgs,
    told: Told,
    dims: &[Option<usize>],
    dtype: DType,
) -> Outcome<Tensor> {
    let axes = axes(dims)?;
    args.note_idle(&axes);
    let c = axes.channels;
    let constants = args.constants(told, dtype.is_integer());
    let shaping = args.shaping(&constants, !is_deep(&image));
    let shaped = shaping.apply(pixels(image, c), &axes)?;
    let (w, h) = (shaped.width() as usize, shaped.height() as usize);
    if axes.height.is_some_and(|n| n != h) || axes.width.is_some_and(|n| n != w) {
        let dim = |n: Option<usize>| n.map_or("?".to_owned(), |n| n.to_string());
        let wanted = format!("{}x{}", dim(axes.width), dim(axes.height));
        return Err(Failure::call(format!(
            "the image is {w}x{h} after --resize and --crop, but the input is {wanted}"
        )));
    }
    let channel = |name: &str, given: &[f32], default: [f32; 3]| match given.len() {
        0 if default == [default[0]; 3] => Ok(vec![default[0]; c]),
        0 if c == 3 => Ok(default.to_vec()),
        0 => Err(Failure::call(format!("this --preprocess has a {name} of 3 channels, but the input has {c}"))),
        1 => Ok(vec![given[0]; c]),
        n if n == c => Ok(given.to_vec()),
        n => Err(Failure::call(format!("--{name} has {n} numbers, but the input has {c} channels"))),
    };
    let (mean, std) = (channel("mean", &args.mean, constants.mean)?, channel("std", &args.std, constants.std)?);
    if std.contains(&0.0) {
        return Err(Failure::call("--std must not be 0"));
    }
    let scale = args.scale.unwrap_or(constants.scale);
    let bgr = args.bgr(told);
    let value = |ic: usize, y: usize, x: usize| {
        let source = if bgr { c - 1 - ic } else { ic };
        let pixel = shaped.get_pixel(x as u32, y as u32).0[source];
        (pixel * scale - mean[ic]) / std[ic]
    };
    // The values, and what they are converted to.
    afford((c * h * w) as u64 * 12, || format!("an input of {w}x{h} pixels"))?;
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
    drop(shaped);
    Ok(Tensor::new(shape, typed(values, dtype)?)?.to_dtype(dtype))
}

/// Values that the input's type can hold: rounded for integers.
fn typed(mut values: Vec<f32>, dtype: DType) -> Outcome<Vec<f32>> {
    if values.iter().any(|v| !v.is_finite()) {
        return Err(Failure::call("--scale, --mean and --std give pixels that are not finite"));
    }
    if dtype.is_float() {
        return Ok(values);
    }
    let Some(range) = range(dtype) else {
        return Err(Failure::call(format!("an image cannot be an input of {dtype}; give an .npy file")));
    };
    values.iter_mut().for_each(|v| *v = v.round());
    match values.iter().find(|v| !range.contains(v)) {
        Some(lost) => {
            Err(Failure::call(format!("the pixel value {lost} does not fit {dtype}: see --scale, --mean and --std")))
        }
        None => Ok(values),
    }
}

/// The numbers that a type of integers holds.
fn range(dtype: DType) -> Option<Range<f32>> {
    let signed = |bits: i32| -2f32.powi(bits - 1)..2f32.powi(bits - 1);
    let unsigned = |bits: i32| 0.0..2f32.powi(bits);
    Some(match dtype {
        DType::I8 => signed(8),
        DType::U8 => unsigned(8),
        DType::I16 => signed(16),
        DType::U16 => unsigned(16),
        DType::I32 => signed(32),
        DType::U32 => unsigned(32),
        DType::I64 => signed(64),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use convgpu::custom::Op;
    use convgpu::internals::ops::pixels::{Channels, FromPixels, Norm};
    use image::{ImageBuffer, Rgb};

    use super::*;

    const PLAIN: PixelArgs = PixelArgs {
        preprocess: None,
        scale: Some(1.0),
        mean: vec![],
        std: vec![],
        bgr: false,
        resize: None,
        crop: None,
        fit: None,
        interpolation: None,
        fill: None,
    };

    fn tensor(image: &DynamicImage, args: &PixelArgs, dims: &[Option<usize>]) -> Outcome<Tensor> {
        super::tensor(image.clone(), args, Told::default(), dims, DType::F32)
    }

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

    /// PIL and torchvision: `Resize` rounds the long side down, `CenterCrop` rounds the offset to the nearest even number.
    #[test]
    fn presets_resize_and_cut_as_torchvision_does() {
        // 40 lines of 60 different pixels, copied: the first pixel of a cut is where it begins.
        let columns: DynamicImage = ImageBuffer::from_fn(60, 40, |x, _| Rgb([x as u8; 3])).into();
        let first = |args: PixelArgs, side| {
            tensor(&columns, &args, &[Some(1), Some(3), Some(side), Some(side)]).unwrap().as_f32().unwrap()[0]
        };
        let cut = |side: u32| PixelArgs { crop: Some(Extent::Size(side, side)), ..PLAIN };
        // (60 - 33) / 2 = 13.5, (60 - 35) / 2 = 12.5, (60 - 36) / 2 = 12.
        assert_eq!([33, 35, 36].map(|side| first(cut(side), side as usize)), [14.0, 12.0, 12.0]);
        // 35 * 256 / 224 = 40: nothing is resized. 34 * 256 / 224 = 38.9: the short side becomes 38, not 39, the long one 57; the
        // cut begins at 11.5, rounded 12, and nearest takes the column (2 * 12 + 1) * 60 / (2 * 57) = 13.2.
        let preset = |interpolation| PixelArgs {
            preprocess: Some(Preset::Imagenet),
            mean: vec![0.0],
            std: vec![1.0],
            interpolation: Some(interpolation),
            ..PLAIN
        };
        assert_eq!(first(preset(Interpolation::Nearest), 35), 12.0);
        assert_eq!(first(preset(Interpolation::Nearest), 34), 13.0);
    }

    /// A preset is 256/224: with another cut the short side is another, and another short side leaves the cut.
    #[test]
    fn an_option_replaces_its_part_of_a_preset_only() {
        let columns: DynamicImage = ImageBuffer::from_fn(60, 40, |x, _| Rgb([x as u8; 3])).into();
        let preset = PixelArgs { preprocess: Some(Preset::Imagenet), mean: vec![0.0], std: vec![1.0], ..PLAIN };
        let of = |args: &PixelArgs, side| {
            let t = tensor(&columns, args, &[Some(1), Some(3), side, side]).unwrap();
            (t.shape()[2], t.as_f32().unwrap()[0])
        };
        let cut = PixelArgs { crop: Some(Extent::Side(35)), ..preset.clone() };
        assert_eq!(of(&cut, Some(35)), of(&preset, Some(35)));
        assert_eq!(of(&PixelArgs { crop: cut.crop, ..PLAIN }, Some(35)), (35, 12.0));
        let short = PixelArgs { resize: Some(Extent::Side(40)), ..preset.clone() };
        assert_eq!(of(&short, Some(33)), (33, 14.0));
        let short = PixelArgs { resize: Some(Extent::Side(300)), ..preset };
        assert_eq!(of(&short, None).0, 224);
    }

    /// `DeviceTensor::from_texture` has the same meaning, without rounding to integers: half a step for the luma, for the rows
    /// and for the columns.
    #[test]
    fn values_are_those_of_textures_but_for_rounding() {
        let (w, h) = (37, 23);
        let byte = |x: u32, y: u32, k: u32| ((x * 97 + y * 57 + k * 31) * (x + 3 * y + 7)) as u8;
        let image: DynamicImage = ImageBuffer::from_fn(w, h, |x, y| Rgb([0, 1, 2].map(|k| byte(x, y, k)))).into();
        let words = (0..w * h).map(|i| u32::from_le_bytes([0, 1, 2, 3].map(|k| byte(i % w, i / w, k))));
        let words = Tensor::new([h as usize, w as usize], words.collect::<Vec<_>>()).unwrap();
        let (mean, std) = ([0.485, 0.456, 0.406, 0.0], [0.229, 0.224, 0.225, 1.0]);
        for (count, bgr, size) in [(3, false, [9, 11]), (3, true, [60, 50]), (1, false, [10, 90]), (3, true, [23, 37])]
        {
            let args = PixelArgs { scale: None, bgr, mean: mean[..count].into(), std: std[..count].into(), ..PLAIN };
            let dims = [Some(1), Some(count), Some(size[0]), Some(size[1])];
            let ours = tensor(&image, &args, &dims).unwrap();
            let norm = Norm { scale: 1.0 / 255.0, mean, std };
            let channels = Channels { count, swapped: bgr, last: false, norm };
            let op = FromPixels { width: w as usize, size: Some(size), channels };
            let theirs = op.reference(std::slice::from_ref(&words)).unwrap().remove(0);
            assert_eq!(ours.shape(), theirs.shape());
            let steps = if size == [23, 37] { 0.0 } else { 1.0 } + if count == 1 { 0.5 } else { 0.0 };
            for (i, (a, b)) in ours.to_f64s().into_iter().zip(theirs.to_f64s()).enumerate() {
                let most = steps / 255.0 / f64::from(std[i / (size[0] * size[1])]) + 1e-5;
                assert!((a - b).abs() <= most, "{size:?} {i}: {a} for {b}, at most {most}");
            }
        }
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
    fn a_preset_stands_for_its_constants() {
        let gray: DynamicImage = ImageBuffer::from_pixel(300, 400, Rgb([255u8, 0, 51])).into();
        let dims = |side| [Some(1), Some(3), side, side];
        let of = |preset, side| {
            let args = PixelArgs { preprocess: Some(preset), scale: None, ..PLAIN };
            tensor(&gray, &args, &dims(side)).unwrap()
        };
        let t = of(Preset::Imagenet, None);
        assert_eq!(t.shape(), [1, 3, 224, 224]);
        let v = t.as_f32().unwrap();
        assert!((v[0] - (1.0 - 0.485) / 0.229).abs() < 1e-6 && (v[224 * 224 * 2] - (0.2 - 0.406) / 0.225).abs() < 1e-6);
        let t = of(Preset::Caffe, Some(227));
        assert_eq!((t.shape(), t.as_f32().unwrap()[0]), (&[1, 3, 227, 227][..], 51.0 - 104.0));
        assert_eq!(of(Preset::Inception, Some(299)).as_f32().unwrap()[0], 1.0);
        assert!((of(Preset::Raw, Some(10)).as_f32().unwrap()[0] - 255.0).abs() < 1e-4);
        assert_eq!(of(Preset::Clip, None).shape(), [1, 3, 224, 224]);
        let one = PixelArgs { preprocess: Some(Preset::Imagenet), ..PLAIN };
        assert!(tensor(&gray, &one, &[Some(1), Some(1), None, None]).unwrap_err().to_string().contains("3 channels"));
    }

    #[test]
    fn metadata_are_heard_unless_an_option_says_otherwise() {
        let told = Told::by([
            ("Image.BitmapPixelFormat", "Bgr8"),
            ("Image.NominalPixelRange", "Normalized_1_1"),
            ("other", "x"),
        ]);
        let dims = [Some(1), Some(3), None, None];
        let default = PixelArgs { scale: None, ..PLAIN };
        let first = |args: &PixelArgs, told| {
            super::tensor(picture(), args, told, &dims, DType::F32).unwrap().as_f32().unwrap()[0]
        };
        assert!((first(&default, told) - (200.0 / 127.5 - 1.0)).abs() < 1e-6);
        assert_eq!(first(&PixelArgs { preprocess: Some(Preset::Raw), ..default.clone() }, told), 0.0);
        assert_eq!(first(&PLAIN, Told::by([("Image.NominalPixelRange", "NominalRange_0_255")])), 0.0);
        let hint = |told, dtype| default.hint(told, dtype);
        assert!(hint(told, DType::F32).is_none());
        let plain = hint(Told::default(), DType::F32).unwrap();
        assert!(plain.starts_with("pixels became 0..1;") && plain.contains("imagenet|caffe"), "{plain}");
        assert!(hint(Told::default(), DType::U8).unwrap().starts_with("pixels stay 0..255, as the input is u8;"));
    }

    #[test]
    fn integers_are_rounded_and_must_fit() {
        let dims = [Some(1), None, None, Some(3)];
        let of = |args: &PixelArgs, dtype| super::tensor(picture(), args, Told::default(), &dims, dtype);
        let t = of(&PixelArgs { scale: None, ..PLAIN }, DType::U8).unwrap();
        assert_eq!(
            t,
            Tensor::new(
                [1, 2, 3, 3],
                vec![0u8, 100, 200, 10, 100, 201, 20, 100, 202, 1, 100, 200, 11, 100, 201, 21, 100, 202]
            )
            .unwrap()
        );
        let halves = of(&PixelArgs { scale: Some(0.5), ..PLAIN }, DType::U8).unwrap().to_i64s().unwrap();
        assert_eq!(halves[3..6], [5, 50, 101]);
        assert!(of(&PLAIN, DType::I8).unwrap_err().to_string().contains("200 does not fit i8"));
        assert!(
            of(&PixelArgs { mean: vec![1.0], ..PLAIN }, DType::U8).unwrap_err().to_string().contains("-1 does not fit")
        );
        assert!(of(&PLAIN, DType::Bool).is_err());
        assert!(
            of(&PixelArgs { scale: Some(1e38), ..PLAIN }, DType::F32).unwrap_err().to_string().contains("not finite")
        );
    }

    #[test]
    fn fit_keeps_the_shape_of_what_is_seen() {
        // A square of 10 in the middle of 40x20.
        let image: DynamicImage = ImageBuffer::from_fn(40, 20, |x, y| {
            Rgb([if (15..25).contains(&x) && (5..15).contains(&y) { 200u8 } else { 0 }; 3])
        })
        .into();
        let seen = |fit, fill| {
            let t = tensor(
                &image,
                &PixelArgs { fit: Some(fit), fill: Some(fill), ..PLAIN },
                &[Some(1), Some(1), Some(20), Some(20)],
            )
            .unwrap();
            let v = t.as_f32().unwrap().to_vec();
            let line = |at: &dyn Fn(usize) -> f32| (0..20).filter(|&i| at(i) > 100.0).count();
            (line(&|x| v[10 * 20 + x]), line(&|y| v[y * 20 + 10]), v[0])
        };
        assert_eq!(seen(Fit::Stretch, 0), (4, 10, 0.0));
        // The whole strip would have 14876445x227 pixels.
        let strip: DynamicImage = ImageBuffer::from_pixel(65_535, 1, Rgb([7u8; 3])).into();
        let cut =
            tensor(&strip, &PixelArgs { fit: Some(Fit::Crop), ..PLAIN }, &[Some(1), Some(3), Some(227), Some(227)]);
        assert_eq!(cut.unwrap().to_f64s(), [7.0; 3 * 227 * 227]);
        assert_eq!(seen(Fit::Crop, 0), (10, 10, 0.0));
        let (w, h, corner) = seen(Fit::Pad, 99);
        assert!(w == h && (4..=6).contains(&w) && corner == 99.0, "{w} {h} {corner}");
    }
}

//! Image files: decoded as a viewer shows them; and tensors as images.

use std::io::Cursor;

use convgpu::Tensor;
use convgpu::internals::memory::afford;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb};

use crate::failure::{Failure, Outcome};

/// The formats that are read, for help and errors.
pub const READ: &str = "PNG, JPEG, WebP, BMP, GIF, TIFF or PNM";

/// The most pixels of an image: more than any camera has.
const MOST: u64 = 1 << 28;

/// Pixels of three channels, 0..255.
pub type Buffer = ImageBuffer<Rgb<f32>, Vec<f32>>;

/// The picture in the bytes of a file, turned as its EXIF orientation says.
pub fn decode(bytes: &[u8]) -> Outcome<DynamicImage> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|e| Failure::file(e.to_string()))?;
    let format = reader.format();
    let unread = |e: ImageError| match (e, format) {
        (ImageError::Unsupported(e), Some(format)) => {
            Failure::file(format!("{format:?} files of this kind are not read ({e})"))
        }
        (e, _) => Failure::file(format!("not an image that can be read ({e}); formats: {READ}")),
    };
    let mut decoder = reader.into_decoder().map_err(unread)?;
    if !is_whole(format, bytes) {
        return Err(Failure::file("the image is cut off: its end is missing"));
    }
    let limits = limits(&decoder)?;
    decoder.set_limits(limits).map_err(unread)?;
    let orientation = decoder.orientation().map_err(unread)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unread)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// An error if an image of this size is larger than any is expected to be.
pub fn check(width: u32, height: u32) -> Outcome<()> {
    if u64::from(width) * u64::from(height) > MOST {
        return Err(Failure::file(format!("an image of {width}x{height} is too large: the most are {MOST} pixels")));
    }
    Ok(())
}

/// The limits for decoding an image, whose size is known; an error if there is no memory for it.
fn limits(decoder: &impl ImageDecoder) -> Outcome<Limits> {
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    // Decoders need the pixels up to twice; then they become 16 bits of three channels, and those floats.
    let each = 2 * u64::from(decoder.color_type().bytes_per_pixel()) + 6 + size_of::<Rgb<f32>>() as u64;
    let bytes = u64::from(width) * u64::from(height) * each;
    afford(bytes, || format!("an image of {width}x{height}"))?;
    let mut limits = Limits::no_limits();
    // Beside the pixels there are tables, whose size does not depend on that of the image.
    limits.max_alloc = Some(bytes + (64 << 20));
    Ok(limits)
}

/// Whether a file has the end that its format demands, where the decoder would make up what is missing.
fn is_whole(format: Option<ImageFormat>, bytes: &[u8]) -> bool {
    match format {
        Some(ImageFormat::Jpeg) => ends_as_jpeg(bytes).is_some(),
        // The size of a RIFF file does not count its first 8 bytes.
        Some(ImageFormat::WebP) => {
            bytes[4..].first_chunk().is_some_and(|n| bytes.len() as u64 >= u64::from(u32::from_le_bytes(*n)) + 8)
        }
        _ => true,
    }
}

/// The position of the end of the image among the segments of a JPEG file (ITU-T T.81, annex B).
fn ends_as_jpeg(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        // Between segments, and within a scan, a marker is 0xff and a byte that is neither 0 nor 0xff.
        let found = bytes.get(at..)?.windows(2).position(|w| w[0] == 0xff && w[1] != 0 && w[1] != 0xff)?;
        at += found + 2;
        match bytes[at - 1] {
            0xd9 => return Some(at),
            // Markers without a segment: restarts, the start, and one for arithmetic coding.
            0xd0..=0xd8 | 0x01 => {}
            _ => at += usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)),
        }
    }
}

/// Whether samples have more than 8 bits: then pixels are no integers.
pub fn is_deep(image: &DynamicImage) -> bool {
    image.color().bytes_per_pixel() > image.color().channel_count()
}

/// The pixels of an image for 1 or 3 channels. Transparency is ignored; samples of 16 bits become value / 257.
pub fn pixels(image: DynamicImage, channels: usize) -> Buffer {
    let (w, h) = (image.width(), image.height());
    let deep = is_deep(&image);
    let rgb: Box<dyn Fn(u32, u32) -> [f32; 3]> = if !deep {
        let rgb = image.into_rgb8();
        Box::new(move |x, y| rgb[(x, y)].0.map(f32::from))
    } else if image.as_rgb32f().is_some() || image.as_rgba32f().is_some() {
        let rgb = image.into_rgb32f();
        Box::new(move |x, y| rgb[(x, y)].0.map(|v| v * 255.0))
    } else {
        let rgb = image.into_rgb16();
        Box::new(move |x, y| rgb[(x, y)].0.map(|v| f32::from(v) / 257.0))
    };
    ImageBuffer::from_fn(w, h, |x, y| {
        let pixel = rgb(x, y);
        Rgb(if channels == 1 { [luma(pixel, !deep); 3] } else { pixel })
    })
}

/// The luma of ITU-R BT.601, with PIL's constants; rounded to an integer, as PIL does, if the samples are integers.
fn luma([r, g, b]: [f32; 3], integer: bool) -> f32 {
    let y = (19595.0 * f64::from(r) + 38470.0 * f64::from(g) + 7471.0 * f64::from(b)) / 65536.0;
    (if integer { (y + 0.5).floor() } else { y }) as f32
}

/// The axes of a tensor that is an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    /// The number of axes before the image: a batch of 1.
    pub lead: usize,
    pub channels: usize,
    /// Channels come after height and width.
    pub channels_last: bool,
    pub height: Option<usize>,
    pub width: Option<usize>,
}

/// The axes of a declared shape (`None`: any extent): `[N, C, H, W]`, `[N, H, W, C]`, both without N, or `[H, W]`.
pub fn axes(dims: &[Option<usize>]) -> Outcome<Axes> {
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

/// Whether an output of this shape is a picture for anybody: 1 or 3 channels, and no strip. Vectors and lists of boxes are
/// none; without a batch, one channel could be either.
pub fn is_picture(shape: &[usize]) -> bool {
    let dims: Vec<_> = shape.iter().map(|&n| Some(n)).collect();
    let Ok(Axes { channels, height: Some(h), width: Some(w), .. }) = axes(&dims) else { return false };
    let strip = h.max(w) > 8 * h.min(w);
    (dims.len() == 4 || dims.len() == 3 && channels == 3) && h.min(w) > 1 && !strip
}

/// A tensor of 1 or 3 channels as an image: pixel = value * scale, rounded and clamped to 0..255; NaN is 0.
pub fn of_tensor(tensor: &Tensor, scale: f32, bgr: bool) -> Outcome<DynamicImage> {
    let wrong = |e: Failure| e.of(format!("the output {} is not an image", tensor.desc()));
    let dims: Vec<_> = tensor.shape().iter().map(|&n| Some(n)).collect();
    let axes = axes(&dims).map_err(wrong)?;
    let (c, h, w) = (axes.channels, axes.height.unwrap_or(0), axes.width.unwrap_or(0));
    let values = tensor.to_f64s();
    let pixel = |ic: usize, y: usize, x: usize| {
        let i = if axes.channels_last { (y * w + x) * c + ic } else { (ic * h + y) * w + x };
        (values[i] * f64::from(scale)).round().clamp(0.0, 255.0) as u8
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
    use convgpu::internals::memory::limited;

    use super::*;
    use crate::encode::Format;

    /// 5 wide, 3 high, no symmetry.
    fn colour() -> DynamicImage {
        ImageBuffer::from_fn(5, 3, |x, y| Rgb([(40 * x) as u8, (70 * y) as u8, (255 - 30 * x) as u8])).into()
    }

    #[test]
    fn half_a_file_is_refused() {
        for format in [Format::Jpeg, Format::Png, Format::WebP, Format::Bmp, Format::Tiff, Format::Pnm] {
            let large = colour().resize_exact(90, 70, image::imageops::FilterType::Triangle);
            let bytes = format.encode(large).unwrap();
            assert!(decode(&bytes).is_ok(), "{format:?}");
            for part in [bytes.len() / 2, bytes.len() * 9 / 10] {
                assert!(decode(&bytes[..part]).is_err(), "{format:?} of {part} bytes");
            }
        }
        let jpeg = Format::Jpeg.encode(colour()).unwrap();
        assert!(decode(&jpeg[..jpeg.len() - 2]).unwrap_err().to_string().contains("cut off"));
        assert!(decode(&[&jpeg[..], b"more"].concat()).is_ok());
    }

    #[test]
    fn what_of_a_format_is_not_read_is_said() {
        // One pixel with a palette: width, height, bits, compression, photometric, strip, samples, rows, bytes.
        let tags = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 3), (273, 8), (277, 1), (278, 1), (279, 1)];
        let entry = |(tag, value): (u8, u8)| [tag, 1, 3, 0, 1, 0, 0, 0, value, 0, 0, 0];
        let entries = tags.into_iter().flat_map(|(tag, value): (u16, u8)| entry(((tag - 256) as u8, value)));
        let mut tiff = [&b"II*\0\x08\0\0\0"[..], &[9, 0]].concat();
        tiff.extend(entries);
        tiff.extend([0; 4]);
        let e = decode(&tiff).unwrap_err().to_string();
        assert!(e.starts_with("Tiff files of this kind are not read (") && e.contains("RGBPalette"), "{e}");
    }

    #[test]
    fn what_does_not_fit_into_memory_is_refused_before_it_is_decoded() {
        let png = Format::Png.encode(ImageBuffer::from_pixel(1000, 1000, image::Luma([7u8])).into()).unwrap();
        let e = limited(17 << 20, || decode(&png)).unwrap_err();
        assert!(e.to_string().starts_with("an image of 1000x1000 takes 19 MiB of memory"), "{e}");
        limited(21 << 20, || decode(&png)).unwrap();
    }

    /// Orientation 6, as phones write it: the camera was turned, and the picture is to be turned by 90 degrees.
    #[test]
    fn pictures_are_turned_as_their_exif_says() {
        let jpeg = Format::Jpeg.encode(colour()).unwrap();
        // A TIFF header and one entry: tag 274, a short, one of them, 6.
        let tiff = [&b"MM\0\x2a\0\0\0\x08\0\x01"[..], &[1, 18, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]].concat();
        let exif = [&b"Exif\0\0"[..], &tiff].concat();
        let segment = [&[0xff, 0xe1][..], &(exif.len() as u16 + 2).to_be_bytes(), &exif].concat();
        let turned = decode(&[&jpeg[..2], &segment, &jpeg[2..]].concat()).unwrap();
        let (upright, turned) = (decode(&jpeg).unwrap().to_rgb8(), turned.to_rgb8());
        assert_eq!((upright.dimensions(), turned.dimensions()), ((5, 3), (3, 5)));
        // The lower left corner comes to the upper left.
        assert_eq!((turned[(0, 0)], turned[(2, 4)]), (upright[(0, 2)], upright[(4, 0)]));
    }

    #[test]
    fn colour_becomes_the_luma_of_bt_601() {
        // PIL's convert("L") of these colours.
        let colours = [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([12, 200, 99], 132), ([7, 7, 7], 7)];
        for (rgb, gray) in colours {
            let image: DynamicImage = ImageBuffer::from_pixel(1, 1, Rgb::<u8>(rgb)).into();
            assert_eq!(pixels(image, 1)[(0, 0)].0, [gray as f32; 3], "{rgb:?}");
        }
    }

    #[test]
    fn sixteen_bits_keep_their_fraction() {
        let image: DynamicImage = ImageBuffer::from_pixel(1, 1, Rgb::<u16>([0, 65535, 1000])).into();
        assert_eq!(pixels(image, 3)[(0, 0)].0, [0.0, 255.0, 1000.0 / 257.0]);
        let gray: DynamicImage = ImageBuffer::from_pixel(1, 1, image::Luma::<u16>([300])).into();
        assert!((pixels(gray, 1)[(0, 0)][0] - 300.0 / 257.0).abs() < 1e-6);
    }

    #[test]
    fn vectors_and_boxes_are_no_pictures() {
        let pictures: [&[usize]; 5] = [&[1, 3, 40, 30], &[1, 1, 8, 8], &[1, 40, 30, 3], &[3, 20, 20], &[20, 20, 3]];
        assert!(pictures.iter().all(|s| is_picture(s)));
        let others: [&[usize]; 9] = [
            &[1, 1000],
            &[1, 3, 1, 1],
            &[1, 4420, 4],
            &[1, 4420, 2],
            &[1, 1, 100, 7],
            &[2, 3, 9, 9],
            &[1, 21, 9, 9],
            &[3],
            &[],
        ];
        assert!(!others.iter().any(|s| is_picture(s)));
    }

    #[test]
    fn outputs_become_pixels_clamped() {
        let t = Tensor::new([1, 3, 1, 2], vec![0.5f32, 2.0, -1.0, 0.0, 1.0, f32::NAN]).unwrap();
        let rgb = of_tensor(&t, 255.0, false).unwrap().to_rgb8();
        assert_eq!((rgb[(0, 0)].0, rgb[(1, 0)].0), ([128, 0, 255], [255, 0, 0]));
        assert_eq!(of_tensor(&t, 255.0, true).unwrap().to_rgb8()[(0, 0)].0, [255, 0, 128]);
        assert!(of_tensor(&Tensor::zeros([1, 5, 2, 2]), 1.0, false).is_err());
    }
}

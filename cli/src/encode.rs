//! Image files that are written.

use std::io::Cursor;
use std::path::Path;

use image::codecs::pnm::{PnmEncoder, PnmSubtype, SampleEncoding};
use image::{DynamicImage, ImageFormat};

use crate::failure::{Failure, Outcome};

/// A format, with what of it the ending of a file says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Png,
    Jpeg,
    Bmp,
    WebP,
    Tiff,
    Gif,
    /// Three channels.
    Ppm,
    /// One channel.
    Pgm,
    /// `Ppm` or `Pgm`, as the image is.
    Pnm,
}

/// The formats by the endings of files.
const ENDINGS: [(&str, Format); 11] = [
    ("png", Format::Png),
    ("jpg", Format::Jpeg),
    ("jpeg", Format::Jpeg),
    ("bmp", Format::Bmp),
    ("webp", Format::WebP),
    ("tiff", Format::Tiff),
    ("tif", Format::Tiff),
    ("gif", Format::Gif),
    ("ppm", Format::Ppm),
    ("pgm", Format::Pgm),
    ("pnm", Format::Pnm),
];

impl Format {
    /// The format of a file, by its ending.
    pub fn of(path: &Path) -> Outcome<Format> {
        let ending = path.extension().unwrap_or_default();
        let found = ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
        found.map(|(_, format)| *format).ok_or_else(|| {
            let known: Vec<String> = ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
            Failure::call(format!("{}: an image is written as one of {}", path.display(), known.join(" ")))
        })
    }

    /// An error if a file of this format cannot hold an image of this many channels and pixels.
    pub fn check(self, channels: usize, [width, height]: [usize; 2]) -> Outcome<()> {
        let side = match self {
            Format::Jpeg | Format::Gif => 65_535,
            Format::WebP => 16_384,
            _ => i32::MAX as usize,
        };
        if width == 0 || height == 0 {
            return Err(Failure::call("it has no pixels"));
        }
        if width.max(height) > side {
            return Err(Failure::call(format!("it has {width}x{height} pixels, and the format at most {side}x{side}")));
        }
        if self == Format::Pgm && channels == 3 {
            return Err(Failure::call("it has three channels, and a .pgm file has one; .ppm has three"));
        }
        Ok(())
    }

    /// The bytes of a file.
    pub fn encode(self, image: DynamicImage) -> Outcome<Vec<u8>> {
        let image = if matches!(self, Format::Gif | Format::Ppm) { image.into_rgb8().into() } else { image };
        let mut out = Cursor::new(vec![]);
        let written = match self {
            Format::Png => image.write_to(&mut out, ImageFormat::Png),
            Format::Jpeg => image.write_to(&mut out, ImageFormat::Jpeg),
            Format::Bmp => image.write_to(&mut out, ImageFormat::Bmp),
            Format::WebP => image.write_to(&mut out, ImageFormat::WebP),
            Format::Tiff => image.write_to(&mut out, ImageFormat::Tiff),
            Format::Gif => image.write_to(&mut out, ImageFormat::Gif),
            // Without a subtype the encoder writes PAM, which few programs read.
            Format::Ppm | Format::Pgm | Format::Pnm => {
                let binary = SampleEncoding::Binary;
                let colour = image.color().has_color();
                let subtype = if colour { PnmSubtype::Pixmap(binary) } else { PnmSubtype::Graymap(binary) };
                image.write_with_encoder(PnmEncoder::new(&mut out).with_subtype(subtype))
            }
        };
        written.map_err(|e| Failure::output(e.to_string()))?;
        Ok(out.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, Rgb};

    use super::*;
    use crate::picture::decode;

    fn colour() -> DynamicImage {
        ImageBuffer::from_fn(4, 3, |x, y| Rgb([60 * x as u8, 80 * y as u8, 7])).into()
    }

    fn gray() -> DynamicImage {
        ImageBuffer::from_fn(4, 3, |x, y| Luma([60 * x as u8 + 20 * y as u8])).into()
    }

    #[test]
    fn every_format_holds_one_channel_and_three() {
        for (ending, format) in ENDINGS {
            for (image, channels) in [(gray(), 1), (colour(), 3)] {
                if format.check(channels, [4, 3]).is_err() {
                    assert_eq!((format, channels), (Format::Pgm, 3));
                    continue;
                }
                let again = decode(&format.encode(image.clone()).unwrap()).unwrap().to_rgb8();
                let far = again.iter().zip(image.to_rgb8().iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                // JPEG is not exact, least of all for sharp colours.
                assert!(far <= if format == Format::Jpeg { 99 } else { 0 }, ".{ending} of {channels}: {far}");
            }
        }
    }

    #[test]
    fn netpbm_files_begin_as_their_endings_say() {
        let magic = |format: Format, image: DynamicImage| format.encode(image).unwrap()[..2].to_vec();
        assert_eq!([magic(Format::Ppm, colour()), magic(Format::Ppm, gray())], [b"P6", b"P6"]);
        assert_eq!([magic(Format::Pnm, colour()), magic(Format::Pnm, gray())], [b"P6", b"P5"]);
        assert_eq!(magic(Format::Pgm, gray()), b"P5");
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused() {
        assert!(Format::of(Path::new("a.JPG")).is_ok() && Format::of(Path::new("a.ppm")).is_ok());
        assert!(["a.txt", "a", "a.heic", "a.png.gz", "a.pbm"].iter().all(|p| Format::of(Path::new(p)).is_err()));
        let refused = |format: Format, size| format.check(3, size).unwrap_err().to_string();
        assert!(refused(Format::Gif, [70_000, 2]).contains("at most 65535"));
        assert!(refused(Format::WebP, [2, 16_385]).contains("at most 16384"));
        assert!(refused(Format::Png, [0, 4]).contains("no pixels"));
        Format::Png.check(3, [70_000, 2]).unwrap();
    }
}

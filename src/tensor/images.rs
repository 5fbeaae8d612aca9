//! Images of the crate `image` as tensors and back (feature `image`).

use image::{DynamicImage, GrayImage, RgbImage};

use super::Tensor;
use crate::error::{Error, Result};

impl Tensor {
    /// An image as `[1, 3, height, width]`: red, green and blue in 0..1, f32. Grey images get three equal channels;
    /// transparency is ignored. Feature `image`.
    ///
    /// ```
    /// use convgpu::Tensor;
    /// use image::{DynamicImage, Rgb, RgbImage};
    ///
    /// let mut picture = RgbImage::new(4, 2); // black, 4 wide and 2 high
    /// picture.put_pixel(3, 0, Rgb([255, 0, 51]));
    /// let picture = DynamicImage::from(picture);
    /// let t = Tensor::from_image(&picture);
    /// assert_eq!(t.shape(), [1, 3, 2, 4]);
    /// assert_eq!((t.get::<f32>(&[0, 0, 0, 3])?, t.get::<f32>(&[0, 2, 0, 3])?), (1.0, 0.2));
    /// assert_eq!(t.to_image()?, picture);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    pub fn from_image(image: &DynamicImage) -> Tensor {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let values = match image {
            DynamicImage::ImageLuma8(_)
            | DynamicImage::ImageLumaA8(_)
            | DynamicImage::ImageRgb8(_)
            | DynamicImage::ImageRgba8(_) => planes(&image.to_rgb8(), |v| f32::from(v) / 255.0),
            DynamicImage::ImageLuma16(_)
            | DynamicImage::ImageLumaA16(_)
            | DynamicImage::ImageRgb16(_)
            | DynamicImage::ImageRgba16(_) => planes(&image.to_rgb16(), |v| f32::from(v) / 65_535.0),
            _ => planes(&image.to_rgb32f(), |v| v),
        };
        Tensor::of([1, 3, height, width], values)
    }

    /// The image of a tensor `[1, channels, height, width]` or `[channels, height, width]`, with 8 bits per channel: 3
    /// channels are red, green and blue, one is grey. Values are f32 in 0..1; others are clamped, and NaN is black.
    /// Feature `image`.
    ///
    /// # Errors
    /// The tensor has another type or shape.
    pub fn to_image(&self) -> Result<DynamicImage> {
        let values = self.as_slice::<f32>()?;
        let refused = || Error::shape(format!("an image is f32[1, 3, h, w] or f32[1, 1, h, w], not {}", self.desc()));
        let &[channels, height, width] = self.shape.strip_prefix(&[1]).filter(|s| s.len() == 3).unwrap_or(&self.shape)
        else {
            return Err(refused());
        };
        let (Ok(w), Ok(h)) = (u32::try_from(width), u32::try_from(height)) else { return Err(refused()) };
        let plane = height * width;
        let byte = |v: f32| (v * 255.0).round() as u8; // saturates, NaN is 0
        let bytes = (0..plane * channels).map(|i| byte(values[i % channels * plane + i / channels])).collect();
        let image = match channels {
            1 => GrayImage::from_raw(w, h, bytes).map(DynamicImage::from),
            3 => RgbImage::from_raw(w, h, bytes).map(DynamicImage::from),
            _ => None,
        };
        image.ok_or_else(refused)
    }
}

/// The red values, then the green, then the blue.
fn planes<T: Copy>(rgb: &[T], value: impl Fn(T) -> f32) -> Vec<f32> {
    (0..3).flat_map(|c| rgb.iter().skip(c).step_by(3)).map(|&v| value(v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, Rgb, Rgba};

    #[test]
    fn channels_become_planes_and_back() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([(10 * x) as u8, (20 * y) as u8, 255 - (x + y) as u8]));
        let t = Tensor::from_image(&image.clone().into());
        assert_eq!(t.shape(), [1, 3, 2, 3]);
        for (c, expected) in [(0, 20), (1, 20), (2, 252)] {
            assert_eq!(t.get::<f32>(&[0, c, 1, 2]).unwrap(), expected as f32 / 255.0);
        }
        assert_eq!(t.to_image().unwrap(), image.clone().into());
        assert_eq!(t.reshape([3, 2, 3]).unwrap().to_image().unwrap(), image.into());
    }

    #[test]
    fn grey_deep_and_transparent_images() {
        let grey = GrayImage::from_fn(2, 1, |x, _| Luma([100 + x as u8]));
        let t = Tensor::from_image(&grey.clone().into());
        assert_eq!(t.as_f32().unwrap(), [100.0f32 / 255.0, 101.0 / 255.0].repeat(3));
        let one = Tensor::new([1, 1, 1, 2], t.as_f32().unwrap()[..2].to_vec()).unwrap();
        assert_eq!(one.to_image().unwrap(), grey.into());
        let deep: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_pixel(1, 1, Luma([32_768]));
        assert_eq!(Tensor::from_image(&deep.into()).as_f32().unwrap(), [32_768.0f32 / 65_535.0; 3]);
        let clear = ImageBuffer::from_pixel(1, 1, Rgba([255u8, 0, 0, 0]));
        assert_eq!(Tensor::from_image(&clear.into()).as_f32().unwrap(), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn values_outside_are_clamped_and_other_shapes_are_errors() {
        let t = Tensor::new([1, 1, 5], vec![-1.0f32, 2.0, f32::NAN, 0.5, f32::INFINITY]).unwrap();
        assert_eq!(t.to_image().unwrap().as_bytes(), [0, 255, 0, 128, 255]);
        for shape in [vec![1, 2, 3, 4], vec![2, 3, 4, 4], vec![3, 4], vec![], vec![1, 1, 1, 3, 1]] {
            assert!(Tensor::zeros(shape.clone()).to_image().is_err(), "{shape:?}");
        }
        assert!(Tensor::new([1, 1, 1], vec![1i32]).unwrap().to_image().is_err());
        assert_eq!(Tensor::zeros([3, 0, 4]).to_image().unwrap().height(), 0);
    }
}

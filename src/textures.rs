//! Textures of the program as images of networks, and back.

use crate::device::{Device, DeviceTensor, Storage};
use crate::error::{Error, Result};
use crate::gpu::adapter::Gpu;
use crate::gpu::texture::{Pixels, Region, Texture, readable, writable};
use crate::ops::only_launch;
use crate::ops::pixels::{Channels, FromPixels, Norm, ToPixels};
use crate::options::Pair;
use crate::shape::{DType, Desc, Layout};

/// The order of an image's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageLayout {
    /// `[1, channels, height, width]`
    #[default]
    Nchw,
    /// `[1, height, width, channels]`
    Nhwc,
}

/// How the pixels of a texture become an image of a network, and an image pixels: [`DeviceTensor::from_texture_async`] and
/// [`DeviceTensor::to_texture_async`].
///
/// A value is `(pixel * scale - mean) / std`, where a pixel of 8 bits is 0 to 255. Without options the image has the channels
/// red, green and blue in 0..1 as `[1, 3, height, width]`. The names are those of torchvision's transforms.
///
/// ```
/// use convgpu::{ImageLayout, ImageOptions};
///
/// let imagenet = ImageOptions::new().size(224).mean([0.485, 0.456, 0.406]).std([0.229, 0.224, 0.225]);
/// let caffe = ImageOptions::new().bgr(true).scale(1.0).mean([104.0, 117.0, 123.0]).layout(ImageLayout::Nhwc);
/// assert_ne!(imagenet, caffe);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageOptions {
    crop: Option<Region>,
    size: Option<Pair>,
    channels: usize,
    bgr: bool,
    layout: ImageLayout,
    scale: Option<f32>,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Default for ImageOptions {
    fn default() -> ImageOptions {
        ImageOptions::new()
    }
}

impl ImageOptions {
    /// Red, green and blue in 0..1, of the whole texture.
    pub fn new() -> ImageOptions {
        let (mean, std) = (vec![0.0], vec![1.0]);
        ImageOptions {
            crop: None,
            size: None,
            channels: 3,
            bgr: false,
            layout: ImageLayout::Nchw,
            scale: None,
            mean,
            std,
        }
    }
    /// The rectangle of the texture that is read or written; all of it by default. Reading crops before it resizes, as
    /// torchvision's `resized_crop` does.
    #[must_use]
    pub fn crop(mut self, top: usize, left: usize, height: usize, width: usize) -> ImageOptions {
        self.crop = Some(Region { top, left, height, width });
        self
    }
    /// Height and width of the image that is read. Its pixels are resampled by the antialiased bilinear filter of torchvision and
    /// Pillow, without rounding to bytes between rows and columns. By default they are not resampled. Writing does not resample.
    #[must_use]
    pub fn size(mut self, size: impl Into<Pair>) -> ImageOptions {
        self.size = Some(size.into());
        self
    }
    /// Channels of the image that is read: 3 by default; 4 with alpha; 1 is the luma of red, green and blue that Pillow has. What
    /// is written has the channels of the tensor: one becomes three equal ones, and without a fourth alpha becomes 1.
    #[must_use]
    pub fn channels(mut self, channels: usize) -> ImageOptions {
        self.channels = channels;
        self
    }
    /// Whether the image's channels are blue, green, red, whatever the order in the texture; false by default.
    #[must_use]
    pub fn bgr(mut self, bgr: bool) -> ImageOptions {
        self.bgr = bgr;
        self
    }
    /// The order of the image's axes; NCHW by default.
    #[must_use]
    pub fn layout(mut self, layout: ImageLayout) -> ImageOptions {
        self.layout = layout;
        self
    }
    /// Factor of a pixel's number; by default 1/255 for 8 bits and 1 for floats.
    #[must_use]
    pub fn scale(mut self, scale: f32) -> ImageOptions {
        self.scale = Some(scale);
        self
    }
    /// Subtracted after scaling: one number, or one per channel in the image's order; 0 by default.
    #[must_use]
    pub fn mean(mut self, mean: impl Into<Vec<f32>>) -> ImageOptions {
        self.mean = mean.into();
        self
    }
    /// Divides after subtracting: one number, or one per channel in the image's order; 1 by default.
    #[must_use]
    pub fn std(mut self, std: impl Into<Vec<f32>>) -> ImageOptions {
        self.std = std.into();
        self
    }

    /// The part of a texture that is meant.
    fn region(&self, texture: &Texture) -> Result<Region> {
        let whole = Region::whole(texture);
        let Some(crop) = self.crop else { return Ok(whole) };
        if crop.height == 0 || crop.width == 0 {
            return Err(Error::argument(format!("the crop has no pixels: {} x {}", crop.height, crop.width)));
        }
        let inside = |first: usize, extent: usize, all: usize| first.checked_add(extent).is_some_and(|end| end <= all);
        if inside(crop.top, crop.height, whole.height) && inside(crop.left, crop.width, whole.width) {
            return Ok(crop);
        }
        let Region { top, left, height, width } = crop;
        Err(Error::argument(format!(
            "the crop of {height} x {width} pixels from row {top} and column {left} is not inside the texture of {} x {}",
            whole.height, whole.width
        )))
    }

    /// How an image of this many channels takes them from pixels, whose order is BGRA or RGBA.
    fn image(&self, count: usize, bgra: bool, scale: f64) -> Result<Channels> {
        let of = |name: &str, given: &[f32], rest: f32| match given.len() {
            1 => Ok([given[0]; 4]),
            n if n == count && n <= 4 => Ok([0, 1, 2, 3].map(|k| given.get(k).copied().unwrap_or(rest))),
            n => Err(Error::argument(format!("{name} has {n} numbers, the image {count} channels"))),
        };
        let (mean, std) = (of("mean", &self.mean, 0.0)?, of("std", &self.std, 1.0)?);
        let norm = Norm { scale: self.scale.map_or(scale, f64::from), mean, std };
        let swapped = bgra != (self.bgr && count > 1);
        Ok(Channels { count, swapped, last: self.layout == ImageLayout::Nhwc, norm })
    }
}

/// The scale of pixels of 8 bits.
const BYTE: f64 = 1.0 / 255.0;

impl DeviceTensor {
    /// A texture of the program as an image on the device: f32, `[1, channels, height, width]` or as the options say. The texture
    /// is read as it is after what was submitted to the queue before this call; nothing passes through the host.
    ///
    /// Formats are rgba8unorm, bgra8unorm, both with srgb, whose usages must have COPY_SRC, and rgba16float, whose must have
    /// TEXTURE_BINDING. Bytes are taken as they are: srgb is not decoded, as it is not where a picture is read from a file.
    ///
    /// ```no_run
    /// use convgpu::{Device, DeviceTensor, ImageOptions, Session, wgpu};
    ///
    /// async fn classify(device: &Device, session: &Session, frame: &wgpu::Texture) -> convgpu::Result<DeviceTensor> {
    ///     let options = ImageOptions::new().size(224).mean([0.485, 0.456, 0.406]).std([0.229, 0.224, 0.225]);
    ///     let image = DeviceTensor::from_texture_async(device, frame, &options).await?;
    ///     Ok(session.run_device_async(&[("image", &image)]).await?.first().clone())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported): the device is the CPU reference; the texture has another format, or more
    /// than one sample, mip level or layer, or is not 2-D. [`Argument`](crate::ErrorKind::Argument): the device is not of
    /// [`Device::from_wgpu`]; a usage is missing; the crop leaves the texture; an option is invalid.
    /// [`Shape`](crate::ErrorKind::Shape): the size is 0. [`Device`](crate::ErrorKind::Device): wgpu refuses the texture, since
    /// it was destroyed or belongs to another device of the instance. Else the device is out of memory or lost.
    ///
    /// # Panics
    /// wgpu cannot tell a texture of another `wgpu::Instance` than the device's from its own: it panics, or takes one of its own.
    pub async fn from_texture_async(
        device: &Device,
        texture: &Texture,
        options: &ImageOptions,
    ) -> Result<DeviceTensor> {
        let gpu = with_textures(device)?;
        let pixels = readable(texture)?;
        let region = options.region(texture)?;
        let (h, w) = (region.height, region.width);
        let (words, bgra, scale) = match pixels {
            Pixels::Bytes { bgra } => (Desc::new([h, region.pitch()], DType::U32), bgra, BYTE),
            Pixels::Halves => (Desc::f32([h, w, 4]), false, 1.0),
        };
        let channels = options.image(options.channels, bgra, scale)?;
        let op = FromPixels { width: w, size: options.size.map(|Pair(size)| size), channels };
        let (launch, image) = only_launch(&op, words, gpu.caps())?;
        let buffer = gpu.read_texture(texture, &region, &launch, image.bytes(Layout::RowMajor)).await?;
        Ok(DeviceTensor::new(device, image, Storage::Buffer(buffer)))
    }

    /// Writes an image to a texture of the program: `[1, channels, height, width]` or as the options say, of floats and 1, 3 or 4
    /// channels, as large as the texture or the crop. It is written before what is submitted to the queue after this call.
    ///
    /// A pixel is `(value * std + mean) / scale`, rounded to the nearest integer, halves up, and clamped to 0..255; NaN becomes
    /// 0. So the options of [`DeviceTensor::from_texture_async`] give its bytes back. Formats are rgba8unorm, bgra8unorm, both
    /// with srgb, whose usages must have COPY_DST. Bytes are written as they are: srgb is not encoded.
    ///
    /// ```no_run
    /// use convgpu::{DeviceTensor, ImageOptions, wgpu};
    ///
    /// async fn show(image: &DeviceTensor, frame: &wgpu::Texture) -> convgpu::Result<()> {
    ///     image.to_texture_async(frame, &ImageOptions::new()).await
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`DeviceTensor::from_texture_async`]; rgba16float; the options have a size. [`Shape`](crate::ErrorKind::Shape): the
    /// tensor is no such image, or has another size.
    pub async fn to_texture_async(&self, texture: &Texture, options: &ImageOptions) -> Result<()> {
        let gpu = with_textures(self.device())?;
        let bgra = writable(texture)?;
        let region = options.region(texture)?;
        if let Some(Pair([h, w])) = options.size {
            return Err(Error::argument(format!("a size of {h} x {w}: writing a texture does not resample")));
        }
        let image = self.as_float(if self.dtype().is_float() { DType::F32 } else { self.dtype() });
        let (count, h, w) = match (image.shape(), options.layout) {
            (&[1, c, h, w], ImageLayout::Nchw) | (&[1, h, w, c], ImageLayout::Nhwc) => (c, h, w),
            _ => return Err(Error::shape(format!("{} is no image of layout {:?}", self.desc(), options.layout))),
        };
        if [h, w] != [region.height, region.width] {
            let (height, width) = (region.height, region.width);
            return Err(Error::shape(format!("an image of {h} x {w} for {height} x {width} pixels of the texture")));
        }
        let op = ToPixels { pitch: region.pitch(), channels: options.image(count, bgra, BYTE)? };
        let (launch, _) = only_launch(&op, image.desc().clone(), gpu.caps())?;
        match &image.storage {
            Storage::Buffer(buffer) => {
                gpu.write_texture(texture, &region, &launch, buffer, image.desc().bytes(Layout::RowMajor)).await
            }
            Storage::Host(_) => unreachable!("a GPU holds buffers"),
        }
    }
}

fn with_textures(device: &Device) -> Result<&Gpu> {
    let reference = || Error::unsupported("the CPU reference has no textures: make the device with Device::from_wgpu");
    let gpu = device.gpu().ok_or_else(reference)?;
    gpu.check_shared()?;
    Ok(gpu)
}

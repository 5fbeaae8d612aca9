//! Pooling of regions of images.

use super::eager::run;
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::{Pair, RoiAlignOptions};

/// Regions of images, each divided into `output_size` bins: the mean of the samples of every bin, between the pixels.
///
/// x is `[n, c, h, w]`, the boxes `[k, 5]`: the number of the image, and two corners x1, y1, x2, y2. The result is `[k, c, oh,
/// ow]`. A sample more than a pixel outside the image is 0. A region of an image that is not there, and one with a corner that is
/// not finite, is NaN; on the reference the first is an error.
/// [torchvision.ops.roi_align](https://docs.pytorch.org/vision/stable/generated/torchvision.ops.roi_align.html)
///
/// ```
/// use convgpu::functional::{RoiAlignOptions, roi_align};
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::new([1, 1, 1, 3], vec![1.0f32, 2.0, 4.0])?.to_device(&device)?;
/// // The second and the third pixel.
/// let boxes = Tensor::new([1, 5], vec![0.0f32, 1.0, 0.0, 3.0, 1.0])?.to_device(&device)?;
/// let y = roi_align(&x, &boxes, [1, 2], RoiAlignOptions::new().aligned(true))?;
/// assert_eq!(y.to_host()?.as_f32()?, [2.0, 4.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// x is no image, or has no pixel; the boxes are not `[k, 5]`; there is no bin; the scale is not within 2^-40 and 2^40.
pub fn roi_align(
    x: &DeviceTensor,
    boxes: &DeviceTensor,
    output_size: impl Into<Pair>,
    options: RoiAlignOptions,
) -> Result<DeviceTensor> {
    run(&[x, boxes], |g, ids| g.roi_align(ids[0], ids[1], output_size, options))
}

/// Regions of images, each divided into `output_size` bins: the maximum of every bin, 0 if it has no pixel.
///
/// x is `[n, c, h, w]`, the boxes `[k, 5]`: the number of the image, and two corners x1, y1, x2, y2, which are multiplied by
/// `spatial_scale` and rounded to pixels. The result is `[k, c, oh, ow]`. A region of an image that is not there, and one with a
/// corner that is not finite, is NaN; on the reference the first is an error.
/// [torchvision.ops.roi_pool](https://docs.pytorch.org/vision/stable/generated/torchvision.ops.roi_pool.html)
///
/// ```
/// use convgpu::functional::roi_pool;
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::new([1, 1, 1, 4], vec![1.0f32, 5.0, 2.0, 4.0])?.to_device(&device)?;
/// let boxes = Tensor::new([1, 5], vec![0.0f32, 0.0, 0.0, 3.0, 0.0])?.to_device(&device)?;
/// assert_eq!(roi_pool(&x, &boxes, [1, 2], 1.0)?.to_host()?.as_f32()?, [5.0, 4.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// x is no image, or has no pixel; the boxes are not `[k, 5]`; there is no bin; the scale is not within 2^-40 and 2^40.
pub fn roi_pool(
    x: &DeviceTensor,
    boxes: &DeviceTensor,
    output_size: impl Into<Pair>,
    spatial_scale: f32,
) -> Result<DeviceTensor> {
    run(&[x, boxes], |g, ids| g.roi_pool(ids[0], ids[1], output_size, spatial_scale))
}

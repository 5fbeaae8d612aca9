//! Sampling at the points of a grid, and grids of affine maps.

use super::eager::run;
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::GridSampleOptions;

/// Images sampled at the points of a grid. x is `[n, c, ih, iw]` and the grid `[n, oh, ow, 2]`, coordinates (x, y); the
/// result is `[n, c, oh, ow]`. Or x is `[n, c, id, ih, iw]`, the grid `[n, od, oh, ow, 3]`, coordinates (x, y, z), and the
/// result `[n, c, od, oh, ow]`. -1 and 1 are the borders of the image.
///
/// [torch.nn.functional.grid_sample](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html)
///
/// ```
/// use convgpu::functional::{GridSampleOptions, grid_sample};
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu();
/// let x = Tensor::new([1, 1, 1, 3], vec![1.0f32, 2.0, 4.0])?.to_device(&device)?;
/// // The left pixel, and half-way between the second and the third.
/// let grid = Tensor::new([1, 1, 2, 2], vec![-1.0f32, 0.0, 0.5, 0.0])?.to_device(&device)?;
/// let y = grid_sample(&x, &grid, GridSampleOptions::new().align_corners(true))?;
/// assert_eq!(y.to_host()?.as_f32()?, [1.0, 3.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// x is no image or volume, or has no pixel; the grid does not fit it; a volume is to be sampled bicubically.
pub fn grid_sample(x: &DeviceTensor, grid: &DeviceTensor, options: GridSampleOptions) -> Result<DeviceTensor> {
    run(&[x, grid], |g, ids| g.grid_sample(ids[0], ids[1], options))
}

/// The grids that affine maps make of the pixels of an image of this size `[n, c, h, w]`: theta is `[n, 2, 3]`, the result
/// `[n, h, w, 2]`. Of volumes `[n, c, d, h, w]` theta is `[n, 3, 4]`, the result `[n, d, h, w, 3]`.
///
/// [torch.nn.functional.affine_grid](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.affine_grid.html)
///
/// ```
/// use convgpu::functional::affine_grid;
/// use convgpu::{Device, Tensor};
///
/// let flip = Tensor::new([1, 2, 3], vec![-1.0f32, 0.0, 0.0, 0.0, 1.0, 0.0])?.to_device(&Device::cpu())?;
/// let grid = affine_grid(&flip, &[1, 1, 1, 2], true)?;
/// assert_eq!(grid.to_host()?.as_f32()?, [1.0, 0.0, -1.0, 0.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The size is not that of an image or a volume, or has no pixel; theta does not fit it.
pub fn affine_grid(theta: &DeviceTensor, size: &[usize], align_corners: bool) -> Result<DeviceTensor> {
    run(&[theta], |g, ids| g.affine_grid(ids[0], size, align_corners))
}

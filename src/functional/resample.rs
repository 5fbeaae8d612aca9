//! Resampling, padding, and moving pixels between space and channels.

use super::run_named;
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::{InterpolateMode, PaddingMode, Scale};

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html>
///
/// # Errors
/// The input is not `[n, c, h, w]`, or the result would be empty.
pub fn interpolate(x: &DeviceTensor, to: Scale, mode: InterpolateMode) -> Result<DeviceTensor> {
    run_named(&format!("interpolate{to:?}{mode:?}"), &[x], |g, ids| g.interpolate(ids[0], to, mode))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html> of height and width: rows and columns
/// added at the top, bottom, left, right.
///
/// # Errors
/// The input is not `[n, c, h, w]`, or it is too small for the mode.
pub fn pad2d(x: &DeviceTensor, mode: PaddingMode, sides: [usize; 4]) -> Result<DeviceTensor> {
    run_named(&format!("pad2d{mode:?}{sides:?}"), &[x], |g, ids| g.pad2d(ids[0], mode, sides))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_shuffle.html>
///
/// # Errors
/// The channels are not a multiple of the factor's square.
pub fn pixel_shuffle(x: &DeviceTensor, upscale_factor: usize) -> Result<DeviceTensor> {
    run_named(&format!("pixel_shuffle{upscale_factor}"), &[x], |g, ids| g.pixel_shuffle(ids[0], upscale_factor))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pixel_unshuffle.html>
///
/// # Errors
/// Height or width is not a multiple of the factor.
pub fn pixel_unshuffle(x: &DeviceTensor, downscale_factor: usize) -> Result<DeviceTensor> {
    run_named(&format!("pixel_unshuffle{downscale_factor}"), &[x], |g, ids| g.pixel_unshuffle(ids[0], downscale_factor))
}

//! Checks for the operators with a moving window. Not an operator itself.

use crate::attr::Window;
use crate::error::{Error, Result};

/// A window's attributes are at most this.
const MAX_ATTRIBUTE: usize = u16::MAX as usize;

/// The largest extent of a padded image, so that the positions of all taps, also of a last window that exceeds it, fit
/// 31 bits.
pub(super) const MAX_EXTENT: usize = 1 << 30;

/// An error unless positions in the padded image `[.., ih, iw]` can be computed in 32 bits.
pub(super) fn check(window: &Window, image: &[usize]) -> Result<()> {
    let Window { kernel, stride, padding, dilation } = *window;
    if [kernel, stride, dilation].iter().flatten().any(|v| !(1..=MAX_ATTRIBUTE).contains(v)) {
        return Err(Error::argument(format!(
            "kernel {kernel:?}, stride {stride:?} and dilation {dilation:?} must be from 1 to {MAX_ATTRIBUTE}"
        )));
    }
    if padding.as_flattened().iter().any(|&v| v > MAX_ATTRIBUTE) {
        return Err(Error::argument(format!("padding {padding:?} must be at most {MAX_ATTRIBUTE}")));
    }
    let long = |axis: usize| image[2 + axis].saturating_add(padding[axis].iter().sum()) > MAX_EXTENT;
    if long(0) || long(1) {
        return Err(Error::unsupported(format!("an image of {image:?}, padded by {padding:?}, is too large (2^30)")));
    }
    Ok(())
}

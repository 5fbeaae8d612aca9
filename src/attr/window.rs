//! Windows that move over images.

use super::Attributes;

/// What is added around an image: per axis (vertical, horizontal) before and after it.
pub type Pads<T = usize> = [[T; 2]; 2];

/// How a window moves over an image; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Extents of the kernel.
    pub kernel: [usize; 2],
    /// Steps between outputs.
    pub stride: [usize; 2],
    /// Rows and columns added around the image.
    pub padding: Pads,
    /// Steps between taps.
    pub dilation: [usize; 2],
}

/// From the first tap to the last: `dilation (kernel - 1) + 1`.
pub fn span(kernel: usize, dilation: usize) -> usize {
    dilation.saturating_mul(kernel.saturating_sub(1)).saturating_add(1)
}

impl Window {
    /// Windows of this kernel side by side.
    pub fn new(kernel: [usize; 2]) -> Window {
        Window { kernel, stride: kernel, padding: [[0; 2]; 2], dilation: [1; 2] }
    }
    /// Its fields as attributes of an operator.
    pub fn attributes(&self) -> Attributes {
        let Window { kernel, stride, padding, dilation } = self;
        let attributes = Attributes::new().with("kernel", kernel).with("stride", stride);
        attributes.with("padding", padding).with("dilation", dilation)
    }
    /// The number of taps.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }
    /// The extent of the image that one window spans.
    pub fn span(&self, axis: usize) -> usize {
        span(self.kernel[axis], self.dilation[axis])
    }
    /// The number of full windows along an axis of this extent, or `None` if none fits.
    pub fn outputs(&self, axis: usize, extent: usize) -> Option<usize> {
        let [before, after] = self.padding[axis];
        Some((extent + before + after).checked_sub(self.span(axis))? / self.stride[axis] + 1)
    }
    /// The image row (or column) under tap `k` of output `o`, if it is inside an axis of this extent.
    pub fn source(&self, axis: usize, o: usize, k: usize, extent: usize) -> Option<usize> {
        let padded = o * self.stride[axis] + k * self.dilation[axis];
        padded.checked_sub(self.padding[axis][0]).filter(|&i| i < extent)
    }
}

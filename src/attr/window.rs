//! Windows that move over images and volumes.

use super::Attributes;

/// What is added around an image: per axis (vertical, horizontal) before and after it. Of a volume the depth comes first.
pub type Pads<T = usize, const AXES: usize = 2> = [[T; 2]; AXES];

/// How a window moves over an image; pairs are (vertical, horizontal). Of a volume the depth comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window<const AXES: usize = 2> {
    /// Extents of the kernel.
    pub kernel: [usize; AXES],
    /// Steps between outputs.
    pub stride: [usize; AXES],
    /// Rows and columns added around the image.
    pub padding: Pads<usize, AXES>,
    /// Steps between taps.
    pub dilation: [usize; AXES],
}

/// From the first tap to the last: `dilation (kernel - 1) + 1`.
pub fn span(kernel: usize, dilation: usize) -> usize {
    dilation.saturating_mul(kernel.saturating_sub(1)).saturating_add(1)
}

impl Window {
    /// Its fields as attributes of an operator.
    pub fn attributes(&self) -> Attributes {
        let Window { kernel, stride, padding, dilation } = self;
        let attributes = Attributes::new().with("kernel", kernel).with("stride", stride);
        attributes.with("padding", padding).with("dilation", dilation)
    }
}

impl<const AXES: usize> Window<AXES> {
    /// Windows of this kernel side by side.
    pub fn new(kernel: [usize; AXES]) -> Window<AXES> {
        Window { kernel, stride: kernel, padding: [[0; 2]; AXES], dilation: [1; AXES] }
    }
    /// The window of an image whose axes are these of its own; one of no number is an axis along which it does not move.
    pub fn along(&self, axes: [Option<usize>; 2]) -> Window {
        Window {
            kernel: axes.map(|axis| axis.map_or(1, |axis| self.kernel[axis])),
            stride: axes.map(|axis| axis.map_or(1, |axis| self.stride[axis])),
            padding: axes.map(|axis| axis.map_or([0; 2], |axis| self.padding[axis])),
            dilation: axes.map(|axis| axis.map_or(1, |axis| self.dilation[axis])),
        }
    }
    /// Whether it sees every element of an axis alone.
    pub fn is_idle(&self, axis: usize) -> bool {
        [self.kernel[axis], self.stride[axis]] == [1, 1] && self.padding[axis] == [0, 0]
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

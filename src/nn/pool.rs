//! Pooling layers.

use super::{Builder, Module};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{AvgPool2dOptions, MaxPool2dOptions, Pair};

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html>
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    kernel_size: Pair,
    options: MaxPool2dOptions,
}

impl MaxPool2d {
    /// Stride as the kernel, no padding.
    pub fn new(kernel_size: impl Into<Pair>) -> MaxPool2d {
        MaxPool2d { kernel_size: kernel_size.into(), options: MaxPool2dOptions::default() }
    }
    /// Steps between windows.
    pub fn stride(mut self, stride: impl Into<Pair>) -> MaxPool2d {
        self.options.stride = Some(stride.into());
        self
    }
    /// Rows and columns of minus infinity on every side.
    pub fn padding(mut self, padding: impl Into<Pair>) -> MaxPool2d {
        self.options.padding = padding.into();
        self
    }
    /// Steps between taps.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> MaxPool2d {
        self.options.dilation = dilation.into();
        self
    }
    /// Round the output size up.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> MaxPool2d {
        self.options.ceil_mode = ceil_mode;
        self
    }
}

impl Module for MaxPool2d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.max_pool2d(x, self.kernel_size, &self.options)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html>
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    kernel_size: Pair,
    options: AvgPool2dOptions,
}

impl AvgPool2d {
    /// Stride as the kernel, no padding.
    pub fn new(kernel_size: impl Into<Pair>) -> AvgPool2d {
        AvgPool2d { kernel_size: kernel_size.into(), options: AvgPool2dOptions::default() }
    }
    /// Steps between windows.
    pub fn stride(mut self, stride: impl Into<Pair>) -> AvgPool2d {
        self.options.stride = Some(stride.into());
        self
    }
    /// Rows and columns of zeros on every side.
    pub fn padding(mut self, padding: impl Into<Pair>) -> AvgPool2d {
        self.options.padding = padding.into();
        self
    }
    /// Round the output size up.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> AvgPool2d {
        self.options.ceil_mode = ceil_mode;
        self
    }
    /// Whether padding counts in the divisor.
    pub fn count_include_pad(mut self, count: bool) -> AvgPool2d {
        self.options.count_include_pad = count;
        self
    }
    /// Divide by this instead of the window's size.
    pub fn divisor_override(mut self, divisor: usize) -> AvgPool2d {
        self.options.divisor_override = Some(divisor);
        self
    }
}

impl Module for AvgPool2d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.avg_pool2d(x, self.kernel_size, &self.options)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html>
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveAvgPool2d(Pair);

impl AdaptiveAvgPool2d {
    /// The height and width to give.
    pub fn new(output_size: impl Into<Pair>) -> AdaptiveAvgPool2d {
        AdaptiveAvgPool2d(output_size.into())
    }
}

impl Module for AdaptiveAvgPool2d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.adaptive_avg_pool2d(x, self.0)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html>
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveMaxPool2d(Pair);

impl AdaptiveMaxPool2d {
    /// The height and width to give.
    pub fn new(output_size: impl Into<Pair>) -> AdaptiveMaxPool2d {
        AdaptiveMaxPool2d(output_size.into())
    }
}

impl Module for AdaptiveMaxPool2d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.adaptive_max_pool2d(x, self.0)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

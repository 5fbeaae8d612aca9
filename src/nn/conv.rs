//! Convolution layers.

use super::state::fan_in_uniform;
use super::{Builder, Module, Slot};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions, Padding, PaddingMode, Pair};

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html>: `[n, in, h, w]` to `[n, out, oh, ow]`.
///
/// `Conv2d::new(1, 3, 3).stride(2).padding(1)` is `torch.nn.Conv2d(1, 3, 3, stride=2, padding=1)`.
pub struct Conv2d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: [usize; 2],
    options: Conv2dOptions,
    weight: Slot,
    bias: Option<Slot>,
}

impl Conv2d {
    /// PyTorch's defaults: stride 1, no padding, a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Conv2d {
        let kernel_size = kernel_size.into().0;
        let fan_in = in_channels * kernel_size[0] * kernel_size[1];
        Conv2d {
            weight: fan_in_uniform(&[out_channels, in_channels, kernel_size[0], kernel_size[1]], fan_in),
            bias: Some(fan_in_uniform(&[out_channels], fan_in)),
            options: Conv2dOptions::default(),
            in_channels,
            out_channels,
            kernel_size,
        }
    }
    /// Steps between outputs.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Conv2d {
        self.options.stride = stride.into();
        self
    }
    /// Rows and columns added around the input.
    pub fn padding(mut self, padding: impl Into<Padding>) -> Conv2d {
        self.options.padding = padding.into();
        self
    }
    /// What the padding consists of.
    pub fn padding_mode(mut self, mode: PaddingMode) -> Conv2d {
        self.options.padding_mode = mode;
        self
    }
    /// Steps between taps.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Conv2d {
        self.options.dilation = dilation.into();
        self
    }
    /// Independent groups of channels. The weight is drawn anew: its shape depends on the groups.
    pub fn groups(mut self, groups: usize) -> Conv2d {
        self.options.groups = groups;
        let [kh, kw] = self.kernel_size;
        let per_group = self.in_channels / groups.max(1);
        let fan_in = per_group * kh * kw;
        self.weight = fan_in_uniform(&[self.out_channels, per_group, kh, kw], fan_in);
        self.bias = self.bias.map(|_| fan_in_uniform(&[self.out_channels], fan_in));
        self
    }
    /// With or without a bias.
    pub fn bias(mut self, bias: bool) -> Conv2d {
        if !bias {
            self.bias = None;
        }
        self
    }
    /// The weight, `[out, in / groups, kh, kw]`.
    pub fn weight(&mut self) -> &mut Slot {
        &mut self.weight
    }
}

impl Module for Conv2d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let weight = b.constant("weight", &self.weight)?;
        let bias = self.bias.as_ref().map(|s| b.constant("bias", s)).transpose()?;
        b.graph.conv2d(x, weight, bias, &self.options)
    }
    fn describe(&self) -> String {
        format!("Conv2d{:?}", self.options)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        weight_and_bias(&self.weight, self.bias.as_ref())
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        weight_and_bias_mut(&mut self.weight, self.bias.as_mut())
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html>: `[n, in, l]` to `[n, out, ol]`.
pub struct Conv1d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    options: Conv1dOptions,
    weight: Slot,
    bias: Option<Slot>,
}

impl Conv1d {
    /// PyTorch's defaults: stride 1, no padding, a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Conv1d {
        let fan_in = in_channels * kernel_size;
        Conv1d {
            weight: fan_in_uniform(&[out_channels, in_channels, kernel_size], fan_in),
            bias: Some(fan_in_uniform(&[out_channels], fan_in)),
            options: Conv1dOptions::default(),
            in_channels,
            out_channels,
            kernel_size,
        }
    }
    /// Steps between outputs.
    pub fn stride(mut self, stride: usize) -> Conv1d {
        self.options.stride = stride;
        self
    }
    /// Zeros added on both sides.
    pub fn padding(mut self, padding: usize) -> Conv1d {
        self.options.padding = padding;
        self
    }
    /// Steps between taps.
    pub fn dilation(mut self, dilation: usize) -> Conv1d {
        self.options.dilation = dilation;
        self
    }
    /// Independent groups of channels. The weight is drawn anew: its shape depends on the groups.
    pub fn groups(mut self, groups: usize) -> Conv1d {
        self.options.groups = groups;
        let per_group = self.in_channels / groups.max(1);
        let fan_in = per_group * self.kernel_size;
        self.weight = fan_in_uniform(&[self.out_channels, per_group, self.kernel_size], fan_in);
        self.bias = self.bias.map(|_| fan_in_uniform(&[self.out_channels], fan_in));
        self
    }
    /// With or without a bias.
    pub fn bias(mut self, bias: bool) -> Conv1d {
        if !bias {
            self.bias = None;
        }
        self
    }
}

impl Module for Conv1d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let weight = b.constant("weight", &self.weight)?;
        let bias = self.bias.as_ref().map(|s| b.constant("bias", s)).transpose()?;
        b.graph.conv1d(x, weight, bias, &self.options)
    }
    fn describe(&self) -> String {
        format!("Conv1d{:?}", self.options)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        weight_and_bias(&self.weight, self.bias.as_ref())
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        weight_and_bias_mut(&mut self.weight, self.bias.as_mut())
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html>: `[n, in, h, w]` to `[n, out, oh, ow]`.
pub struct ConvTranspose2d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: [usize; 2],
    options: ConvTranspose2dOptions,
    weight: Slot,
    bias: Option<Slot>,
}

impl ConvTranspose2d {
    /// PyTorch's defaults: stride 1, no padding, a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> ConvTranspose2d {
        let kernel_size = kernel_size.into().0;
        // PyTorch takes the weight's second extent for the fan-in, here the outputs.
        let fan_in = out_channels * kernel_size[0] * kernel_size[1];
        ConvTranspose2d {
            weight: fan_in_uniform(&[in_channels, out_channels, kernel_size[0], kernel_size[1]], fan_in),
            bias: Some(fan_in_uniform(&[out_channels], fan_in)),
            options: ConvTranspose2dOptions::default(),
            in_channels,
            out_channels,
            kernel_size,
        }
    }
    /// Steps between the outputs of neighbouring inputs.
    pub fn stride(mut self, stride: impl Into<Pair>) -> ConvTranspose2d {
        self.options.stride = stride.into();
        self
    }
    /// Rows and columns cut from every side.
    pub fn padding(mut self, padding: impl Into<Pair>) -> ConvTranspose2d {
        self.options.padding = padding.into();
        self
    }
    /// Rows and columns added to the bottom and the right.
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> ConvTranspose2d {
        self.options.output_padding = output_padding.into();
        self
    }
    /// Steps between taps.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> ConvTranspose2d {
        self.options.dilation = dilation.into();
        self
    }
    /// Independent groups of channels. The weight is drawn anew: its shape depends on the groups.
    pub fn groups(mut self, groups: usize) -> ConvTranspose2d {
        self.options.groups = groups;
        let [kh, kw] = self.kernel_size;
        let per_group = self.out_channels / groups.max(1);
        let fan_in = per_group * kh * kw;
        self.weight = fan_in_uniform(&[self.in_channels, per_group, kh, kw], fan_in);
        self.bias = self.bias.map(|_| fan_in_uniform(&[self.out_channels], fan_in));
        self
    }
    /// With or without a bias.
    pub fn bias(mut self, bias: bool) -> ConvTranspose2d {
        if !bias {
            self.bias = None;
        }
        self
    }
}

impl Module for ConvTranspose2d {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let weight = b.constant("weight", &self.weight)?;
        let bias = self.bias.as_ref().map(|s| b.constant("bias", s)).transpose()?;
        b.graph.conv_transpose2d(x, weight, bias, &self.options)
    }
    fn describe(&self) -> String {
        format!("ConvTranspose2d{:?}", self.options)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        weight_and_bias(&self.weight, self.bias.as_ref())
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        weight_and_bias_mut(&mut self.weight, self.bias.as_mut())
    }
}

pub(super) fn weight_and_bias<'a>(weight: &'a Slot, bias: Option<&'a Slot>) -> Vec<(String, &'a Slot)> {
    std::iter::once(("weight".to_owned(), weight)).chain(bias.map(|b| ("bias".to_owned(), b))).collect()
}

pub(super) fn weight_and_bias_mut<'a>(weight: &'a mut Slot, bias: Option<&'a mut Slot>) -> Vec<(String, &'a mut Slot)> {
    std::iter::once(("weight".to_owned(), weight)).chain(bias.map(|b| ("bias".to_owned(), b))).collect()
}

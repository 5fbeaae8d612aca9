//! Convolution layers.

use super::layers::slots_of;
use super::weights::Weights;
use super::{Builder, Module};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{
    Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions, Padding, PaddingMode, Pair, conv_transpose2d_setters,
    conv1d_setters, conv2d_setters,
};

/// Cross-correlation of images with a learned kernel and bias: `[n, in, h, w]` to `[n, out, oh, ow]`, as
/// [`functional::conv2d`](crate::functional::conv2d) computes it.
///
/// `Conv2d::new(1, 3, 3).stride(2).padding(1)` is `torch.nn.Conv2d(1, 3, 3, stride=2, padding=1)`
/// ([torch.nn.Conv2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html)). The state is `weight`
/// `[out, in / groups, kh, kw]` and `bias` `[out]`, drawn uniformly from +-1 / sqrt(in / groups kh kw).
///
/// ```
/// use convgpu::nn::{Conv2d, Module};
/// use convgpu::{Device, Tensor};
///
/// let conv = Conv2d::new(3, 16, 3).stride(2).padding(1);
/// assert_eq!(conv.num_parameters(), 16 * 3 * 3 * 3 + 16);
/// let x = Tensor::zeros([1, 3, 28, 28]).to_device(&Device::cpu())?;
/// assert_eq!(conv.forward(&x)?.shape(), [1, 16, 14, 14]);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv2d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: Pair,
    options: Conv2dOptions,
    weights: Weights,
}

impl Conv2d {
    /// With a bias and the defaults of [`Conv2dOptions`].
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Conv2d {
        let kernel_size = kernel_size.into();
        let Pair([kh, kw]) = kernel_size;
        Conv2d {
            weights: Weights::new(&[out_channels, in_channels, kh, kw], out_channels),
            options: Conv2dOptions::new(),
            in_channels,
            out_channels,
            kernel_size,
        }
    }
    conv2d_setters!();

    fn changed(mut self) -> Conv2d {
        let Pair([kh, kw]) = self.kernel_size;
        self.weights.have_shape(&[self.out_channels, self.in_channels / self.options.groups.max(1), kh, kw]);
        self
    }
}

/// Cross-correlation of signals with a learned kernel and bias: `[n, in, l]` to `[n, out, ol]`, as
/// [`functional::conv1d`](crate::functional::conv1d) computes it.
///
/// It is [torch.nn.Conv1d](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html). The state is `weight`
/// `[out, in / groups, k]` and `bias` `[out]`, drawn uniformly from +-1 / sqrt(in / groups k).
#[derive(Clone, Debug)]
pub struct Conv1d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    options: Conv1dOptions,
    weights: Weights,
}

impl Conv1d {
    /// With a bias and the defaults of [`Conv1dOptions`].
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Conv1d {
        Conv1d {
            weights: Weights::new(&[out_channels, in_channels, kernel_size], out_channels),
            options: Conv1dOptions::new(),
            in_channels,
            out_channels,
            kernel_size,
        }
    }
    conv1d_setters!();

    fn changed(mut self) -> Conv1d {
        let per_group = self.in_channels / self.options.groups.max(1);
        self.weights.have_shape(&[self.out_channels, per_group, self.kernel_size]);
        self
    }
}

/// Transposed convolution of images with a learned kernel and bias: `[n, in, h, w]` to `[n, out, oh, ow]`, as
/// [`functional::conv_transpose2d`](crate::functional::conv_transpose2d) computes it.
///
/// It is [torch.nn.ConvTranspose2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html). The
/// state is `weight` `[in, out / groups, kh, kw]` and `bias` `[out]`, drawn uniformly from
/// +-1 / sqrt(out / groups kh kw).
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    in_channels: usize,
    out_channels: usize,
    kernel_size: Pair,
    options: ConvTranspose2dOptions,
    weights: Weights,
}

impl ConvTranspose2d {
    /// With a bias and the defaults of [`ConvTranspose2dOptions`].
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> ConvTranspose2d {
        let kernel_size = kernel_size.into();
        let Pair([kh, kw]) = kernel_size;
        ConvTranspose2d {
            weights: Weights::new(&[in_channels, out_channels, kh, kw], out_channels),
            options: ConvTranspose2dOptions::new(),
            in_channels,
            out_channels,
            kernel_size,
        }
    }
    conv_transpose2d_setters!();

    fn changed(mut self) -> ConvTranspose2d {
        let Pair([kh, kw]) = self.kernel_size;
        self.weights.have_shape(&[self.in_channels, self.out_channels / self.options.groups.max(1), kh, kw]);
        self
    }
}

macro_rules! convolution {
    ($layer:ident, $function:ident) => {
        impl $layer {
            /// With or without a bias; with one by default.
            #[must_use]
            pub fn bias(mut self, bias: bool) -> $layer {
                self.weights.have_bias(bias);
                self
            }
        }

        impl Module for $layer {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                let (weight, bias) = self.weights.constants(b)?;
                b.graph.$function(x, weight, bias, self.options)
            }
            slots_of!(weights);
        }
    };
}

convolution!(Conv2d, conv2d);
convolution!(Conv1d, conv1d);
convolution!(ConvTranspose2d, conv_transpose2d);

//! Convolution layers.

use super::layers::slots_of;
use super::weights::Weights;
use super::{Builder, Module};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{
    Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions, Padding, PaddingMode,
    Pair, Triple, conv_transpose2d_setters, conv_transpose3d_setters, conv1d_setters, conv2d_setters, conv3d_setters,
};

macro_rules! convolution {
    (
        $(#[$doc:meta])*
        $layer:ident($kernel:ty, $given:ty), $options:ident, $setters:ident, $function:ident,
        |$in:ident, $out:ident, $groups:ident, $size:pat_param| $weight:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer {
            in_channels: usize,
            out_channels: usize,
            kernel_size: $kernel,
            options: $options,
            weights: Weights,
        }

        impl $layer {
            #[doc = concat!("With a bias and the defaults of [`", stringify!($options), "`].")]
            pub fn new(in_channels: usize, out_channels: usize, kernel_size: $given) -> $layer {
                let (kernel_size, options) = (kernel_size.into(), $options::new());
                let shape = $layer::weight(in_channels, out_channels, options.groups, kernel_size);
                $layer { weights: Weights::new(&shape, out_channels), options, in_channels, out_channels, kernel_size }
            }
            $setters!();

            /// With or without a bias; with one by default.
            #[must_use]
            pub fn bias(mut self, bias: bool) -> $layer {
                self.weights.have_bias(bias);
                self
            }

            fn changed(mut self) -> $layer {
                let groups = self.options.groups.max(1);
                self.weights.have_shape(&$layer::weight(self.in_channels, self.out_channels, groups, self.kernel_size));
                self
            }

            /// The shape of the weight.
            fn weight($in: usize, $out: usize, $groups: usize, $size: $kernel) -> Vec<usize> {
                $weight.to_vec()
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

convolution! {
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
    Conv2d(Pair, impl Into<Pair>), Conv2dOptions, conv2d_setters, conv2d,
    |inputs, outputs, groups, Pair([kh, kw])| [outputs, inputs / groups, kh, kw]
}

convolution! {
    /// Cross-correlation of signals with a learned kernel and bias: `[n, in, l]` to `[n, out, ol]`, as
    /// [`functional::conv1d`](crate::functional::conv1d) computes it.
    ///
    /// It is [torch.nn.Conv1d](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html). The state is `weight`
    /// `[out, in / groups, k]` and `bias` `[out]`, drawn uniformly from +-1 / sqrt(in / groups k).
    Conv1d(usize, usize), Conv1dOptions, conv1d_setters, conv1d,
    |inputs, outputs, groups, k| [outputs, inputs / groups, k]
}

convolution! {
    /// Cross-correlation of volumes with a learned kernel and bias: `[n, in, d, h, w]` to `[n, out, od, oh, ow]`, as
    /// [`functional::conv3d`](crate::functional::conv3d) computes it.
    ///
    /// It is [torch.nn.Conv3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv3d.html). The state is `weight`
    /// `[out, in / groups, kd, kh, kw]` and `bias` `[out]`, drawn uniformly from +-1 / sqrt(in / groups kd kh kw).
    Conv3d(Triple, impl Into<Triple>), Conv3dOptions, conv3d_setters, conv3d,
    |inputs, outputs, groups, Triple([kd, kh, kw])| [outputs, inputs / groups, kd, kh, kw]
}

convolution! {
    /// Transposed convolution of images with a learned kernel and bias: `[n, in, h, w]` to `[n, out, oh, ow]`, as
    /// [`functional::conv_transpose2d`](crate::functional::conv_transpose2d) computes it.
    ///
    /// It is [torch.nn.ConvTranspose2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html). The
    /// state is `weight` `[in, out / groups, kh, kw]` and `bias` `[out]`, drawn uniformly from
    /// +-1 / sqrt(out / groups kh kw).
    ConvTranspose2d(Pair, impl Into<Pair>), ConvTranspose2dOptions, conv_transpose2d_setters, conv_transpose2d,
    |inputs, outputs, groups, Pair([kh, kw])| [inputs, outputs / groups, kh, kw]
}

convolution! {
    /// Transposed convolution of volumes with a learned kernel and bias: `[n, in, d, h, w]` to `[n, out, od, oh, ow]`, as
    /// [`functional::conv_transpose3d`](crate::functional::conv_transpose3d) computes it.
    ///
    /// It is [torch.nn.ConvTranspose3d](https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html). The
    /// state is `weight` `[in, out / groups, kd, kh, kw]` and `bias` `[out]`, drawn uniformly from
    /// +-1 / sqrt(out / groups kd kh kw).
    ConvTranspose3d(Triple, impl Into<Triple>), ConvTranspose3dOptions, conv_transpose3d_setters, conv_transpose3d,
    |inputs, outputs, groups, Triple([kd, kh, kw])| [inputs, outputs / groups, kd, kh, kw]
}

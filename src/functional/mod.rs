//! PyTorch's functions on tensors of a device, under PyTorch's names and with its argument order.
//!
//! Each function builds a small graph and runs it at once. The graph is compiled at the first call with its options,
//! its shapes and its device; later calls reuse it ([`clear_cache`] drops it). The result stays on the device. To run a
//! whole network, make one graph of it: with [`nn`](crate::nn), or with the methods of [`Graph`](crate::Graph) that
//! have the same names.
//!
//! Where PyTorch has options with defaults, a function takes an options struct with setters:
//!
//! ```
//! use convgpu::functional::{self as f, Conv2dOptions, MaxPool2dOptions};
//! use convgpu::{Device, Tensor};
//!
//! let device = Device::cpu(); // or Device::new()?, the best GPU
//! let x = Tensor::new([1, 1, 3, 3], (1..=9).map(|v| v as f32).collect::<Vec<_>>())?.to_device(&device)?;
//! let weight = Tensor::full([1, 1, 2, 2], 0.25).to_device(&device)?;
//!
//! // The mean of every 2x2 window, zeros around the image.
//! let y = f::conv2d(&x, &weight, None, Conv2dOptions::new().padding(1))?;
//! assert_eq!(y.shape(), [1, 1, 4, 4]);
//! let y = f::max_pool2d(&f::relu(&y)?, 2, MaxPool2dOptions::new())?;
//! assert_eq!(y.to_host()?.as_f32()?, [3.0, 4.0, 6.0, 7.0]);
//! # Ok::<(), convgpu::Error>(())
//! ```
//!
//! Axes (`dim`) are numbered from 0, or backwards from -1. Images are `[n, c, h, w]`: number of images, channels,
//! height, width. Arithmetic takes f32 unless a function says otherwise; functions that move elements take every type.
//!
//! Every function gives an error of kind [`Shape`](crate::ErrorKind::Shape) or [`Argument`](crate::ErrorKind::Argument)
//! if shapes or options do not fit, [`Unsupported`](crate::ErrorKind::Unsupported) if it does not support the type,
//! [`Argument`](crate::ErrorKind::Argument) if the tensors are not on one device, [`Memory`](crate::ErrorKind::Memory)
//! or [`DeviceLost`](crate::ErrorKind::DeviceLost) if the device fails. The pages of the functions list what is
//! particular to them.

#[cfg(not(target_arch = "wasm32"))]
mod attention;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod cache;
#[cfg(not(target_arch = "wasm32"))]
mod conv;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod eager;
#[cfg(not(target_arch = "wasm32"))]
mod elementwise;
#[cfg(not(target_arch = "wasm32"))]
mod grid;
#[cfg(not(target_arch = "wasm32"))]
mod norm;
#[cfg(not(target_arch = "wasm32"))]
mod pool;
#[cfg(not(target_arch = "wasm32"))]
mod random;
#[cfg(not(target_arch = "wasm32"))]
mod reduce;
#[cfg(not(target_arch = "wasm32"))]
mod regions;
#[cfg(not(target_arch = "wasm32"))]
mod resample;
#[cfg(not(target_arch = "wasm32"))]
mod shape;

pub use crate::attr::{Activation, BinaryKind, GridSampleMode, GridSamplePadding, PadMode, Trigonometric};
pub use crate::options::{
    Approximate, AttentionOptions, AvgPool2dOptions, AvgPool3dOptions, Conv1dOptions, Conv2dOptions, Conv3dOptions,
    ConvTranspose2dOptions, ConvTranspose3dOptions, DeformConv2dOptions, Extents, FoldOptions, GridSampleOptions,
    InterpolateMode, InterpolateOptions, LpPool2dOptions, LpPool3dOptions, MaxPool2dOptions, MaxPool3dOptions,
    MaxUnpool2dOptions, Padding, PaddingMode, Pair, RoiAlignOptions, ScaleFactor, Sides, SplitSizes, Triple,
};

#[cfg(not(target_arch = "wasm32"))]
pub use functions::*;

#[cfg(not(target_arch = "wasm32"))]
mod functions {
    pub use super::attention::*;
    pub use super::cache::{clear_cache, set_cache_limit};
    pub use super::conv::*;
    pub use super::elementwise::*;
    pub use super::grid::*;
    pub use super::norm::*;
    pub use super::pool::*;
    pub use super::random::*;
    pub use super::reduce::*;
    pub use super::regions::*;
    pub use super::resample::*;
    pub use super::shape::*;
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use eager::run_kept;

//! Resampling and padding layers.

use super::layers::layers;
use super::{Builder, Module};
use crate::attr::PadMode;
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{Extents, InterpolateMode, InterpolateOptions, ScaleFactor, Sides, interpolate_setters};

/// Images resampled to a size or by a factor: `[n, c, h, w]` to `[n, c, oh, ow]`, as
/// [`functional::interpolate`](crate::functional::interpolate) computes it.
///
/// It is [torch.nn.Upsample](https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html).
///
/// ```
/// use convgpu::functional::InterpolateMode;
/// use convgpu::nn::{Module, Upsample};
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::zeros([1, 3, 5, 4]).to_device(&Device::cpu())?;
/// assert_eq!(Upsample::new().scale_factor(2.0).forward(&x)?.shape(), [1, 3, 10, 8]);
/// let up = Upsample::new().size([7, 7]).mode(InterpolateMode::Bilinear);
/// assert_eq!(up.forward(&x)?.shape(), [1, 3, 7, 7]);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Upsample {
    options: InterpolateOptions,
}

impl Upsample {
    /// By the nearest pixel; `size` or `scale_factor` must be set.
    pub fn new() -> Upsample {
        Upsample::default()
    }
    interpolate_setters!();

    fn changed(self) -> Upsample {
        self
    }
}

impl Module for Upsample {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.interpolate(x, self.options)
    }
}

layers! {
    /// Channels become pixels: `[n, c r r, h, w]` to `[n, c, h r, w r]`, r being the factor, as
    /// [`functional::pixel_shuffle`](crate::functional::pixel_shuffle) does it.
    PixelShuffle {
        /// By this factor along both axes.
        new(upscale_factor: usize);
    } |layer, graph, x| graph.pixel_shuffle(x, layer.upscale_factor);
    /// Pixels become channels: `[n, c, h r, w r]` to `[n, c r r, h, w]`, r being the factor, as
    /// [`functional::pixel_unshuffle`](crate::functional::pixel_unshuffle) does it.
    PixelUnshuffle {
        /// By this factor along both axes.
        new(downscale_factor: usize);
    } |layer, graph, x| graph.pixel_unshuffle(x, layer.downscale_factor);
}

macro_rules! padding_layers {
    ($($(#[$doc:meta])* $layer:ident = $mode:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// `[n, c, h, w]` to `[n, c, top + h + bottom, left + w + right]`.
        #[doc = concat!("It is [torch.nn.", stringify!($layer), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($layer), ".html).")]
        #[derive(Clone, Copy, Debug)]
        pub struct $layer {
            padding: Sides,
        }

        impl $layer {
            /// One number for all sides, or `[left, right, top, bottom]`; negative numbers crop.
            pub fn new(padding: impl Into<Sides>) -> $layer {
                $layer { padding: padding.into() }
            }
        }

        impl Module for $layer {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                b.graph.pad(x, &self.padding.0, $mode)
            }
        }
    )*};
}

padding_layers! {
    /// Zeros around images.
    ZeroPad2d = PadMode::Constant(0.0);
    /// Images mirrored at their borders, without the border itself. A side must be smaller than the image.
    ReflectionPad2d = PadMode::Reflect;
    /// The border pixels of images repeated.
    ReplicationPad2d = PadMode::Replicate;
    /// Images continued from their opposite sides. A side must not be larger than the image.
    CircularPad2d = PadMode::Circular;
}

//! Pooling layers.

use super::{Builder, Module};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::{
    AvgPool2dOptions, AvgPool3dOptions, LpPool2dOptions, LpPool3dOptions, MaxPool2dOptions, MaxPool3dOptions, Pair,
    Triple, avg_pool2d_setters, avg_pool3d_setters, lp_pool2d_setters, lp_pool3d_setters, max_pool2d_setters,
    max_pool3d_setters,
};

macro_rules! pool {
    ($(#[$doc:meta])* $layer:ident($size:ident), $options:ident, $setters:ident, $function:ident) => {
        $(#[$doc])*
        #[doc = concat!("It is [torch.nn.", stringify!($layer), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($layer), ".html).")]
        #[derive(Clone, Copy, Debug)]
        pub struct $layer {
            kernel_size: $size,
            options: $options,
        }

        impl $layer {
            #[doc = concat!("Windows of this size, and the defaults of [`", stringify!($options), "`].")]
            pub fn new(kernel_size: impl Into<$size>) -> $layer {
                $layer { kernel_size: kernel_size.into(), options: $options::new() }
            }
            $setters!();

            fn changed(self) -> $layer {
                self
            }
        }

        impl Module for $layer {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                b.graph.$function(x, self.kernel_size, self.options)
            }
        }
    };
}

pool! {
    /// The maximum of every window: `[n, c, h, w]` to `[n, c, oh, ow]`, as
    /// [`functional::max_pool2d`](crate::functional::max_pool2d) computes it.
    ///
    /// [`functional::max_pool2d_with_indices`](crate::functional::max_pool2d_with_indices) also gives the indices of the maxima.
    MaxPool2d(Pair), MaxPool2dOptions, max_pool2d_setters, max_pool2d
}

pool! {
    /// The mean of every window: `[n, c, h, w]` to `[n, c, oh, ow]`, as
    /// [`functional::avg_pool2d`](crate::functional::avg_pool2d) computes it.
    ///
    AvgPool2d(Pair), AvgPool2dOptions, avg_pool2d_setters, avg_pool2d
}

pool! {
    /// The maximum of every window: `[n, c, d, h, w]` to `[n, c, od, oh, ow]`, as
    /// [`functional::max_pool3d`](crate::functional::max_pool3d) computes it.
    ///
    MaxPool3d(Triple), MaxPool3dOptions, max_pool3d_setters, max_pool3d
}

pool! {
    /// The mean of every window: `[n, c, d, h, w]` to `[n, c, od, oh, ow]`, as
    /// [`functional::avg_pool3d`](crate::functional::avg_pool3d) computes it.
    ///
    AvgPool3d(Triple), AvgPool3dOptions, avg_pool3d_setters, avg_pool3d
}

macro_rules! lp_pool {
    ($(#[$doc:meta])* $layer:ident($size:ident), $options:ident, $setters:ident, $function:ident) => {
        $(#[$doc])*
        #[doc = concat!("It is [torch.nn.", stringify!($layer), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($layer), ".html).")]
        #[derive(Clone, Copy, Debug)]
        pub struct $layer {
            norm_type: f32,
            kernel_size: $size,
            options: $options,
        }

        impl $layer {
            #[doc = concat!("Of order p = `norm_type`, with windows of this size and the defaults of [`", stringify!($options), "`].")]
            pub fn new(norm_type: f32, kernel_size: impl Into<$size>) -> $layer {
                $layer { norm_type, kernel_size: kernel_size.into(), options: $options::new() }
            }
            $setters!();

            fn changed(self) -> $layer {
                self
            }
        }

        impl Module for $layer {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                b.graph.$function(x, self.norm_type, self.kernel_size, self.options)
            }
        }
    };
}

lp_pool! {
    /// `(sum of x^p)^(1/p)` of every window: `[n, c, h, w]` to `[n, c, oh, ow]`, as
    /// [`functional::lp_pool2d`](crate::functional::lp_pool2d) computes it.
    ///
    LPPool2d(Pair), LpPool2dOptions, lp_pool2d_setters, lp_pool2d
}

lp_pool! {
    /// `(sum of x^p)^(1/p)` of every window: `[n, c, d, h, w]` to `[n, c, od, oh, ow]`, as
    /// [`functional::lp_pool3d`](crate::functional::lp_pool3d) computes it.
    ///
    LPPool3d(Triple), LpPool3dOptions, lp_pool3d_setters, lp_pool3d
}

macro_rules! adaptive_pool {
    ($(#[$doc:meta])* $layer:ident($size:ident), $function:ident, $extents:literal) => {
        $(#[$doc])*
        #[doc = concat!("It is [torch.nn.", stringify!($layer), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($layer), ".html).")]
        #[derive(Clone, Copy, Debug)]
        pub struct $layer {
            output_size: $size,
        }

        impl $layer {
            #[doc = concat!("The ", $extents, " of the output.")]
            pub fn new(output_size: impl Into<$size>) -> $layer {
                $layer { output_size: output_size.into() }
            }
        }

        impl Module for $layer {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                b.graph.$function(x, self.output_size)
            }
        }
    };
}

adaptive_pool! {
    /// The means of an image's parts, one per pixel of the output: `[n, c, h, w]` to `[n, c, oh, ow]`, as
    /// [`functional::adaptive_avg_pool2d`](crate::functional::adaptive_avg_pool2d) computes them.
    ///
    AdaptiveAvgPool2d(Pair), adaptive_avg_pool2d, "height and width"
}

adaptive_pool! {
    /// The maxima of an image's parts, one per pixel of the output: `[n, c, h, w]` to `[n, c, oh, ow]`, as
    /// [`functional::adaptive_max_pool2d`](crate::functional::adaptive_max_pool2d) computes them.
    ///
    AdaptiveMaxPool2d(Pair), adaptive_max_pool2d, "height and width"
}

adaptive_pool! {
    /// The means of a volume's parts, one per pixel of the output: `[n, c, d, h, w]` to `[n, c, od, oh, ow]`, as
    /// [`functional::adaptive_avg_pool3d`](crate::functional::adaptive_avg_pool3d) computes them.
    ///
    AdaptiveAvgPool3d(Triple), adaptive_avg_pool3d, "depth, height and width"
}

adaptive_pool! {
    /// The maxima of a volume's parts, one per pixel of the output: `[n, c, d, h, w]` to `[n, c, od, oh, ow]`, as
    /// [`functional::adaptive_max_pool3d`](crate::functional::adaptive_max_pool3d) computes them.
    ///
    AdaptiveMaxPool3d(Triple), adaptive_max_pool3d, "depth, height and width"
}

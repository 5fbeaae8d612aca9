//! The options of layers and functions, in PyTorch's names and with its defaults.
//!
//! [`options`] writes an options struct with its setters, and a macro that writes the same setters for a layer of `nn`.

use std::array::from_fn;

use crate::attr::{GridSampleMode, GridSamplePadding, Pads, span};
use crate::error::{Error, Result};

/// A vertical and a horizontal number. A single number is used for both: `3`, `[3, 3]` and `(3, 3)` are the same pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(n: usize) -> Pair {
        Pair([n, n])
    }
}
impl From<[usize; 2]> for Pair {
    fn from(p: [usize; 2]) -> Pair {
        Pair(p)
    }
}
impl From<(usize, usize)> for Pair {
    fn from((y, x): (usize, usize)) -> Pair {
        Pair([y, x])
    }
}

/// A depth, a vertical and a horizontal number. A single number is used for all: `3`, `[3, 3, 3]` and `(3, 3, 3)` are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Triple(pub [usize; 3]);

impl From<usize> for Triple {
    fn from(n: usize) -> Triple {
        Triple([n, n, n])
    }
}
impl From<[usize; 3]> for Triple {
    fn from(t: [usize; 3]) -> Triple {
        Triple(t)
    }
}
impl From<(usize, usize, usize)> for Triple {
    fn from((z, y, x): (usize, usize, usize)) -> Triple {
        Triple([z, y, x])
    }
}

macro_rules! per_axis {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            /// The same along every axis.
            All($number),
            /// Vertical and horizontal.
            Image([$number; 2]),
            /// Depth, vertical and horizontal.
            Volume([$number; 3]),
        }

        impl From<$number> for $name {
            fn from(n: $number) -> $name {
                $name::All(n)
            }
        }
        impl From<[$number; 2]> for $name {
            fn from(p: [$number; 2]) -> $name {
                $name::Image(p)
            }
        }
        impl From<($number, $number)> for $name {
            fn from((y, x): ($number, $number)) -> $name {
                $name::Image([y, x])
            }
        }
        impl From<[$number; 3]> for $name {
            fn from(t: [$number; 3]) -> $name {
                $name::Volume(t)
            }
        }
        impl From<($number, $number, $number)> for $name {
            fn from((z, y, x): ($number, $number, $number)) -> $name {
                $name::Volume([z, y, x])
            }
        }

        impl $name {
            /// One for each of so many axes, if it has as many.
            pub(crate) fn of<const AXES: usize>(self) -> Option<[$number; AXES]> {
                match self {
                    $name::All(n) => Some([n; AXES]),
                    $name::Image(p) => p[..].try_into().ok(),
                    $name::Volume(t) => t[..].try_into().ok(),
                }
            }
        }
    )*};
}

per_axis! {
    /// The extents of the output of `interpolate`. A single number is used for all.
    Extents(usize);
    /// The factors of `interpolate`: outputs per input. A single number is used for all axes.
    ScaleFactor(f64);
}

/// How a convolution pads its input. `SIDES` is 4 for images, 2 for signals and 6 for volumes.
///
/// Numbers convert. For images, `1` is a row or column on every side, `[1, 2]` one row above and below and two columns
/// left and right, `[0, 1, 2, 3]` the four sides in the order of [`Padding::Sides`]. For signals, `1` is one element on
/// both sides. For volumes, `[1, 2, 3]` is one slice in front and behind, and rows and columns as for images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Padding<const SIDES: usize = 4> {
    /// Rows and columns added: top, bottom, left, right; for signals left, right; for volumes front and back come first.
    Sides([usize; SIDES]),
    /// The padding that keeps the size; needs stride 1. If it is odd, the larger half goes to the bottom and the right.
    Same,
    /// No padding.
    Valid,
}

impl<const SIDES: usize> From<usize> for Padding<SIDES> {
    fn from(n: usize) -> Padding<SIDES> {
        Padding::Sides([n; SIDES])
    }
}
impl From<[usize; 2]> for Padding {
    fn from([y, x]: [usize; 2]) -> Padding {
        Padding::Sides([y, y, x, x])
    }
}
impl From<(usize, usize)> for Padding {
    fn from((y, x): (usize, usize)) -> Padding {
        [y, x].into()
    }
}
impl From<[usize; 3]> for Padding<6> {
    fn from([z, y, x]: [usize; 3]) -> Padding<6> {
        Padding::Sides([z, z, y, y, x, x])
    }
}
impl From<(usize, usize, usize)> for Padding<6> {
    fn from((z, y, x): (usize, usize, usize)) -> Padding<6> {
        [z, y, x].into()
    }
}
impl<const SIDES: usize> From<[usize; SIDES]> for Padding<SIDES> {
    fn from(sides: [usize; SIDES]) -> Padding<SIDES> {
        Padding::Sides(sides)
    }
}

impl Padding<2> {
    /// The padding of a signal as that of an image of one row.
    pub(crate) fn of_one_row(self) -> Padding {
        match self {
            Padding::Sides([left, right]) => Padding::Sides([0, 0, left, right]),
            Padding::Same => Padding::Same,
            Padding::Valid => Padding::Valid,
        }
    }
}

impl<const SIDES: usize> Padding<SIDES> {
    /// What is added, for a kernel of this size. There are two sides per axis.
    pub(crate) fn pads<const AXES: usize>(
        self,
        kernel: [usize; AXES],
        stride: [usize; AXES],
        dilation: [usize; AXES],
    ) -> Result<Pads<usize, AXES>> {
        const { assert!(SIDES == 2 * AXES) };
        match self {
            Padding::Sides(sides) => Ok(from_fn(|axis| [sides[2 * axis], sides[2 * axis + 1]])),
            Padding::Valid => Ok([[0; 2]; AXES]),
            Padding::Same if stride != [1; AXES] => Err(Error::argument("padding 'same' needs stride 1")),
            Padding::Same => Ok(from_fn(|axis| {
                let total = span(kernel[axis], dilation[axis]) - 1;
                [total / 2, total.div_ceil(2)]
            })),
        }
    }
}

/// The values of a convolution's padding: PyTorch's `padding_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PaddingMode {
    /// Zeros.
    #[default]
    Zeros,
    /// The input mirrored without its border.
    Reflect,
    /// The border repeated.
    Replicate,
    /// The opposite side.
    Circular,
}

/// The sides of a padding layer: rows and columns added at the left, right, top, bottom, in PyTorch's order. Negative
/// numbers crop. A single number is used for all four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sides(pub [i64; 4]);

impl From<i64> for Sides {
    fn from(n: i64) -> Sides {
        Sides([n; 4])
    }
}
impl From<[i64; 4]> for Sides {
    fn from(sides: [i64; 4]) -> Sides {
        Sides(sides)
    }
}

/// The formula of GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Approximate {
    /// `x (1 + erf(x / sqrt 2)) / 2`
    #[default]
    None,
    /// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`
    Tanh,
}

/// How `interpolate` computes values between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum InterpolateMode {
    /// The pixel at `floor(i / scale)` for output i: PyTorch's `nearest`.
    #[default]
    Nearest,
    /// The pixel nearest to the output's centre: PyTorch's `nearest-exact`.
    NearestExact,
    /// Linear between two by two pixels; of images.
    Bilinear,
    /// Linear between two by two by two pixels; of volumes.
    Trilinear,
    /// Cubic over four by four pixels, with a = -0.75; of images.
    Bicubic,
}

/// How `split` divides an axis: `2` is parts of 2, the last one possibly smaller; `[1, 3]` is parts of 1 and of 3.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SplitSizes {
    /// Parts of this extent. The last part has the rest.
    Each(usize),
    /// Parts of these extents, which add up to the axis.
    Sections(Vec<usize>),
}

impl From<usize> for SplitSizes {
    fn from(n: usize) -> SplitSizes {
        SplitSizes::Each(n)
    }
}
impl From<&[usize]> for SplitSizes {
    fn from(sizes: &[usize]) -> SplitSizes {
        SplitSizes::Sections(sizes.to_vec())
    }
}
impl<const N: usize> From<[usize; N]> for SplitSizes {
    fn from(sizes: [usize; N]) -> SplitSizes {
        SplitSizes::Sections(sizes.to_vec())
    }
}

impl SplitSizes {
    /// The extents of the parts of an axis.
    pub(crate) fn of(self, extent: usize) -> Result<Vec<usize>> {
        match self {
            SplitSizes::Sections(sizes) => Ok(sizes),
            SplitSizes::Each(0) if extent > 0 => Err(Error::argument("split needs parts of at least 1")),
            SplitSizes::Each(_) if extent == 0 => Ok(vec![0]),
            SplitSizes::Each(n) => Ok((0..extent).step_by(n).map(|from| n.min(extent - from)).collect()),
        }
    }
}

/// An options struct: its defaults, a setter for every field, and if there is a layer a macro that writes these setters for it.
///
/// A field is `name: type = default, set(given) value;`, where `value` computes the field from the setter's argument.
/// The macro for layers needs a field `options` and a method `changed`, which every setter calls last.
macro_rules! options {
    ($(#[$about:meta])* $name:ident {
        $($(#[$doc:meta])* $field:ident: $kept:ty = $default:expr, set($given:ty) $value:expr;)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(pub(crate) $field: $kept,)+
        }

        impl $name {
            /// PyTorch's defaults.
            pub fn new() -> $name {
                $name { $($field: $default,)+ }
            }
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(mut self, $field: $given) -> $name {
                    self.$field = $value;
                    self
                }
            )+
        }

        impl Default for $name {
            fn default() -> $name {
                $name::new()
            }
        }
    };
    ($(#[$about:meta])* $name:ident, $setters:ident {
        $($(#[$doc:meta])* $field:ident: $kept:ty = $default:expr, set($given:ty) $value:expr;)+
    }) => {
        options! {
            $(#[$about])*
            $name {
                $($(#[$doc])* $field: $kept = $default, set($given) $value;)+
            }
        }

        macro_rules! $setters {
            () => {
                /// All options at once. They replace what the other setters set before.
                #[must_use]
                pub fn options(mut self, options: $name) -> Self {
                    self.options = options;
                    self.changed()
                }
                $(
                    $(#[$doc])*
                    #[must_use]
                    pub fn $field(mut self, $field: $given) -> Self {
                        self.options = self.options.$field($field);
                        self.changed()
                    }
                )+
            };
        }
        pub(crate) use $setters;
    };
}

options! {
    /// Options of [`conv2d`](crate::functional::conv2d) and [`nn::Conv2d`](crate::nn::Conv2d): stride 1, no padding,
    /// dilation 1, one group, padding of zeros unless they are set.
    ///
    /// ```
    /// use convgpu::functional::{Conv2dOptions, Padding};
    ///
    /// let options = Conv2dOptions::new().stride(2).padding([0, 1]);
    /// assert_eq!(options, Conv2dOptions::new().stride([2, 2]).padding([0, 0, 1, 1]));
    /// assert_ne!(options, options.padding(Padding::Valid));
    /// ```
    Conv2dOptions, conv2d_setters {
        /// Steps between outputs; 1 by default.
        stride: Pair = Pair([1, 1]), set(impl Into<Pair>) stride.into();
        /// Rows and columns added around the input; none by default.
        padding: Padding = Padding::Sides([0; 4]), set(impl Into<Padding>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: Pair = Pair([1, 1]), set(impl Into<Pair>) dilation.into();
        /// The number of independent groups of channels; 1 by default.
        groups: usize = 1, set(usize) groups;
        /// The values of the padding; zeros by default.
        padding_mode: PaddingMode = PaddingMode::Zeros, set(PaddingMode) padding_mode;
    }
}

options! {
    /// Options of [`conv1d`](crate::functional::conv1d) and [`nn::Conv1d`](crate::nn::Conv1d): stride 1, no padding,
    /// dilation 1, one group, padding of zeros unless they are set.
    Conv1dOptions, conv1d_setters {
        /// Steps between outputs; 1 by default.
        stride: usize = 1, set(usize) stride;
        /// Elements added at both ends; none by default.
        padding: Padding<2> = Padding::Sides([0; 2]), set(impl Into<Padding<2>>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: usize = 1, set(usize) dilation;
        /// The number of independent groups of channels; 1 by default.
        groups: usize = 1, set(usize) groups;
        /// The values of the padding; zeros by default.
        padding_mode: PaddingMode = PaddingMode::Zeros, set(PaddingMode) padding_mode;
    }
}

options! {
    /// Options of [`conv3d`](crate::functional::conv3d) and [`nn::Conv3d`](crate::nn::Conv3d): stride 1, no padding,
    /// dilation 1, one group, padding of zeros unless they are set.
    Conv3dOptions, conv3d_setters {
        /// Steps between outputs; 1 by default.
        stride: Triple = Triple([1; 3]), set(impl Into<Triple>) stride.into();
        /// Slices, rows and columns added around the input; none by default.
        padding: Padding<6> = Padding::Sides([0; 6]), set(impl Into<Padding<6>>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: Triple = Triple([1; 3]), set(impl Into<Triple>) dilation.into();
        /// The number of independent groups of channels; 1 by default.
        groups: usize = 1, set(usize) groups;
        /// The values of the padding; zeros by default.
        padding_mode: PaddingMode = PaddingMode::Zeros, set(PaddingMode) padding_mode;
    }
}

options! {
    /// Options of [`conv_transpose2d`](crate::functional::conv_transpose2d) and
    /// [`nn::ConvTranspose2d`](crate::nn::ConvTranspose2d): stride 1, no padding, dilation 1, one group unless they are set.
    ConvTranspose2dOptions, conv_transpose2d_setters {
        /// Steps between the outputs of neighbouring inputs; 1 by default.
        stride: Pair = Pair([1, 1]), set(impl Into<Pair>) stride.into();
        /// Rows and columns cut from every side of the full result; 0 by default.
        padding: Pair = Pair([0, 0]), set(impl Into<Pair>) padding.into();
        /// Rows and columns added to the bottom and the right of the result; 0 by default. Less than the stride or the
        /// dilation.
        output_padding: Pair = Pair([0, 0]), set(impl Into<Pair>) output_padding.into();
        /// The number of independent groups of channels; 1 by default.
        groups: usize = 1, set(usize) groups;
        /// Steps between taps; 1 by default.
        dilation: Pair = Pair([1, 1]), set(impl Into<Pair>) dilation.into();
    }
}

options! {
    /// Options of [`conv_transpose3d`](crate::functional::conv_transpose3d) and
    /// [`nn::ConvTranspose3d`](crate::nn::ConvTranspose3d): stride 1, no padding, dilation 1, one group unless they are set.
    ConvTranspose3dOptions, conv_transpose3d_setters {
        /// Steps between the outputs of neighbouring inputs; 1 by default.
        stride: Triple = Triple([1; 3]), set(impl Into<Triple>) stride.into();
        /// Slices, rows and columns cut from every side of the full result; 0 by default.
        padding: Triple = Triple([0; 3]), set(impl Into<Triple>) padding.into();
        /// Slices, rows and columns added at the end of the result; 0 by default. Less than the stride or the dilation.
        output_padding: Triple = Triple([0; 3]), set(impl Into<Triple>) output_padding.into();
        /// The number of independent groups of channels; 1 by default.
        groups: usize = 1, set(usize) groups;
        /// Steps between taps; 1 by default.
        dilation: Triple = Triple([1; 3]), set(impl Into<Triple>) dilation.into();
    }
}

options! {
    /// Options of [`max_pool2d`](crate::functional::max_pool2d) and [`nn::MaxPool2d`](crate::nn::MaxPool2d): stride
    /// equal to the kernel, no padding, dilation 1 unless they are set.
    MaxPool2dOptions, max_pool2d_setters {
        /// Steps between windows; by default the kernel size.
        stride: Option<Pair> = None, set(impl Into<Pair>) Some(stride.into());
        /// Rows and columns of minus infinity on every side, at most half the kernel; 0 by default.
        padding: Pair = Pair([0, 0]), set(impl Into<Pair>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: Pair = Pair([1, 1]), set(impl Into<Pair>) dilation.into();
        /// Whether the output's size is rounded up, as long as the last window starts inside; false by default.
        ceil_mode: bool = false, set(bool) ceil_mode;
    }
}

options! {
    /// Options of [`deform_conv2d`](crate::functional::deform_conv2d): stride 1, no padding, dilation 1 unless they are set.
    ///
    /// ```
    /// use convgpu::functional::DeformConv2dOptions;
    ///
    /// let options = DeformConv2dOptions::new().stride(2);
    /// assert_ne!(options, options.padding([0, 1]).dilation(2));
    /// ```
    DeformConv2dOptions {
        /// Steps between outputs; 1 by default.
        stride: Pair = Pair([1, 1]), set(impl Into<Pair>) stride.into();
        /// Rows and columns added on every side; 0 by default.
        padding: Pair = Pair([0, 0]), set(impl Into<Pair>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: Pair = Pair([1, 1]), set(impl Into<Pair>) dilation.into();
    }
}

options! {
    /// Options of [`max_unpool2d`](crate::functional::max_unpool2d): stride equal to the kernel, no padding, and the size that follows
    /// unless they are set.
    ///
    /// ```
    /// use convgpu::functional::MaxUnpool2dOptions;
    ///
    /// let options = MaxUnpool2dOptions::new().stride(2);
    /// assert_ne!(options, options.padding(1).output_size([5, 7]));
    /// ```
    MaxUnpool2dOptions {
        /// Steps between windows; by default the kernel size.
        stride: Option<Pair> = None, set(impl Into<Pair>) Some(stride.into());
        /// Rows and columns that the pooling added on every side; 0 by default.
        padding: Pair = Pair([0, 0]), set(impl Into<Pair>) padding.into();
        /// The height and the width of the output, less than a stride from those that follow.
        output_size: Option<Pair> = None, set(impl Into<Pair>) Some(output_size.into());
    }
}

options! {
    /// Options of [`fold`](crate::functional::fold): stride 1, no padding, dilation 1 unless they are set.
    ///
    /// ```
    /// use convgpu::functional::FoldOptions;
    ///
    /// let options = FoldOptions::new().stride(2);
    /// assert_ne!(options, options.padding([0, 1]).dilation(2));
    /// ```
    FoldOptions {
        /// Steps between windows; 1 by default.
        stride: Pair = Pair([1, 1]), set(impl Into<Pair>) stride.into();
        /// Rows and columns on every side of the image that windows reach; 0 by default.
        padding: Pair = Pair([0, 0]), set(impl Into<Pair>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: Pair = Pair([1, 1]), set(impl Into<Pair>) dilation.into();
    }
}

options! {
    /// Options of [`avg_pool2d`](crate::functional::avg_pool2d) and [`nn::AvgPool2d`](crate::nn::AvgPool2d): stride
    /// equal to the kernel, no padding, the padding counted unless they are set.
    AvgPool2dOptions, avg_pool2d_setters {
        /// Steps between windows; by default the kernel size.
        stride: Option<Pair> = None, set(impl Into<Pair>) Some(stride.into());
        /// Rows and columns of zeros on every side, at most half the kernel; 0 by default.
        padding: Pair = Pair([0, 0]), set(impl Into<Pair>) padding.into();
        /// Whether the output's size is rounded up, as long as the last window starts inside; false by default.
        ceil_mode: bool = false, set(bool) ceil_mode;
        /// Whether the padding counts in the divisor; true by default.
        count_include_pad: bool = true, set(bool) count_include_pad;
        /// The divisor of sums, instead of the size of the window.
        divisor_override: Option<usize> = None, set(impl Into<Option<usize>>) divisor_override.into();
    }
}

options! {
    /// Options of [`max_pool3d`](crate::functional::max_pool3d) and [`nn::MaxPool3d`](crate::nn::MaxPool3d): stride
    /// equal to the kernel, no padding, dilation 1 unless they are set.
    MaxPool3dOptions, max_pool3d_setters {
        /// Steps between windows; by default the kernel size.
        stride: Option<Triple> = None, set(impl Into<Triple>) Some(stride.into());
        /// Slices, rows and columns of minus infinity on every side, at most half the kernel; 0 by default.
        padding: Triple = Triple([0; 3]), set(impl Into<Triple>) padding.into();
        /// Steps between taps; 1 by default.
        dilation: Triple = Triple([1; 3]), set(impl Into<Triple>) dilation.into();
        /// Whether the output's size is rounded up, as long as the last window starts inside; false by default.
        ceil_mode: bool = false, set(bool) ceil_mode;
    }
}

options! {
    /// Options of [`avg_pool3d`](crate::functional::avg_pool3d) and [`nn::AvgPool3d`](crate::nn::AvgPool3d): stride
    /// equal to the kernel, no padding, the padding counted unless they are set.
    AvgPool3dOptions, avg_pool3d_setters {
        /// Steps between windows; by default the kernel size.
        stride: Option<Triple> = None, set(impl Into<Triple>) Some(stride.into());
        /// Slices, rows and columns of zeros on every side, at most half the kernel; 0 by default.
        padding: Triple = Triple([0; 3]), set(impl Into<Triple>) padding.into();
        /// Whether the output's size is rounded up, as long as the last window starts inside; false by default.
        ceil_mode: bool = false, set(bool) ceil_mode;
        /// Whether the padding counts in the divisor; true by default.
        count_include_pad: bool = true, set(bool) count_include_pad;
        /// The divisor of sums, instead of the size of the window.
        divisor_override: Option<usize> = None, set(impl Into<Option<usize>>) divisor_override.into();
    }
}

options! {
    /// Options of [`lp_pool2d`](crate::functional::lp_pool2d) and [`nn::LPPool2d`](crate::nn::LPPool2d): stride equal
    /// to the kernel unless it is set.
    LpPool2dOptions, lp_pool2d_setters {
        /// Steps between windows; by default the kernel size.
        stride: Option<Pair> = None, set(impl Into<Pair>) Some(stride.into());
        /// Whether the output's size is rounded up; false by default.
        ceil_mode: bool = false, set(bool) ceil_mode;
    }
}

options! {
    /// Options of [`lp_pool3d`](crate::functional::lp_pool3d) and [`nn::LPPool3d`](crate::nn::LPPool3d): stride equal
    /// to the kernel unless it is set.
    LpPool3dOptions, lp_pool3d_setters {
        /// Steps between windows; by default the kernel size.
        stride: Option<Triple> = None, set(impl Into<Triple>) Some(stride.into());
        /// Whether the output's size is rounded up; false by default.
        ceil_mode: bool = false, set(bool) ceil_mode;
    }
}

options! {
    /// Options of [`interpolate`](crate::functional::interpolate) and [`nn::Upsample`](crate::nn::Upsample): either a size
    /// or a factor must be set; the mode is `Nearest` unless it is set.
    ///
    /// ```
    /// use convgpu::functional::{InterpolateMode, InterpolateOptions};
    ///
    /// let by_two = InterpolateOptions::new().scale_factor(2.0);
    /// let to_size = InterpolateOptions::new().size([9, 5]).mode(InterpolateMode::Bilinear).align_corners(true);
    /// assert_ne!(by_two, to_size);
    /// ```
    InterpolateOptions, interpolate_setters {
        /// The height and width of the output, of volumes the depth before them.
        size: Option<Extents> = None, set(impl Into<Extents>) Some(size.into());
        /// Outputs per input along each axis. The output's size is the input's times these, rounded down.
        scale_factor: Option<ScaleFactor> = None, set(impl Into<ScaleFactor>) Some(scale_factor.into());
        /// How values between pixels are computed; `Nearest` by default.
        mode: InterpolateMode = InterpolateMode::Nearest, set(InterpolateMode) mode;
        /// Whether the centres of the corner pixels of input and output coincide, instead of the corners of the images.
        /// Only for the modes `Bilinear`, `Trilinear` and `Bicubic`; false by default.
        align_corners: bool = false, set(bool) align_corners;
        /// Whether the ratio of the sizes stands for the scale factor, once it has given the output's size. They differ
        /// where the size was rounded down; false by default.
        recompute_scale_factor: bool = false, set(bool) recompute_scale_factor;
    }
}

options! {
    /// Options of [`scaled_dot_product_attention`](crate::functional::scaled_dot_product_attention): no causal mask, a scale of
    /// 1 over the square root of the size, and as many heads of keys as of queries unless they are set.
    AttentionOptions {
        /// Whether query i sees the keys 0 to i only; false by default. Not together with a mask.
        is_causal: bool = false, set(bool) is_causal;
        /// What the products of queries and keys are multiplied by; by default 1 over the square root of the size of a query.
        scale: Option<f32> = None, set(impl Into<Option<f32>>) scale.into();
        /// Whether a head of the keys and values may serve several heads of the queries, which follow each other; false by
        /// default.
        enable_gqa: bool = false, set(bool) enable_gqa;
    }
}

options! {
    /// Options of [`grid_sample`](crate::functional::grid_sample): bilinear, zeros beyond the image, and edges at -1 and 1
    /// unless they are set.
    ///
    /// ```
    /// use convgpu::functional::{GridSampleMode, GridSampleOptions, GridSamplePadding};
    ///
    /// let options = GridSampleOptions::new().padding_mode(GridSamplePadding::Border);
    /// assert_ne!(options, options.mode(GridSampleMode::Nearest).align_corners(true));
    /// ```
    GridSampleOptions {
        /// How values between pixels are computed; `Bilinear` by default.
        mode: GridSampleMode = GridSampleMode::Bilinear, set(GridSampleMode) mode;
        /// What lies beyond the image; `Zeros` by default.
        padding_mode: GridSamplePadding = GridSamplePadding::Zeros, set(GridSamplePadding) padding_mode;
        /// Whether -1 and 1 are the centres of the border pixels, instead of their edges; false by default.
        align_corners: bool = false, set(bool) align_corners;
    }
}

options! {
    /// Options of [`roi_align`](crate::functional::roi_align): scale 1, as many samples as pixels, and pixels whose centres are whole
    /// numbers unless they are set.
    ///
    /// ```
    /// use convgpu::functional::RoiAlignOptions;
    ///
    /// let options = RoiAlignOptions::new().spatial_scale(1.0 / 16.0);
    /// assert_ne!(options, options.sampling_ratio(2).aligned(true));
    /// ```
    RoiAlignOptions {
        /// Pixels per unit of the boxes; 1 by default.
        spatial_scale: f32 = 1.0, set(f32) spatial_scale;
        /// Samples of a bin along each axis; by default as many as it has pixels, rounded up.
        sampling_ratio: Option<usize> = None, set(usize) Some(sampling_ratio);
        /// Whether the centre of a pixel is at a half, and a box may be smaller than a pixel; false by default.
        aligned: bool = false, set(bool) aligned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_sizes_of_an_axis() {
        assert_eq!(SplitSizes::from(3).of(7).unwrap(), [3, 3, 1]);
        assert_eq!(SplitSizes::from(3).of(0).unwrap(), [0]);
        assert_eq!(SplitSizes::from([2, 5]).of(7).unwrap(), [2, 5]);
        assert!(SplitSizes::from(0).of(7).is_err());
    }

    #[test]
    fn padding_same_puts_the_odd_one_last() {
        let pads = |p: Padding| p.pads([4, 3], [1, 1], [1, 2]).unwrap();
        assert_eq!(pads(Padding::Same), [[1, 2], [2, 2]]);
        assert_eq!(Padding::<6>::Same.pads([4, 3, 1], [1; 3], [1, 2, 5]).unwrap(), [[1, 2], [2, 2], [0, 0]]);
        assert_eq!(Padding::<6>::from([1, 2, 3]).pads([1; 3], [2; 3], [1; 3]).unwrap(), [[1, 1], [2, 2], [3, 3]]);
        assert_eq!(pads(Padding::<2>::Same.of_one_row()), [[1, 2], [2, 2]]);
        assert_eq!(pads(Padding::<2>::from([1, 2]).of_one_row()), [[0, 0], [1, 2]]);
        assert!(Padding::<4>::Same.pads([3, 3], [2, 1], [1, 1]).is_err());
    }
}

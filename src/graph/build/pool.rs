//! Pooling.

use crate::attr::{Activation, BinaryKind, PoolKind, Window};
use crate::error::{Error, Result};
use crate::graph::volume::{self, Mean};
use crate::graph::{Graph, ValueId};
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::fold::Fold;
use crate::ops::max_unpool::{MaxUnpool, unpooled};
use crate::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use crate::options::{
    AvgPool2dOptions, AvgPool3dOptions, FoldOptions, LpPool2dOptions, LpPool3dOptions, MaxPool2dOptions,
    MaxPool3dOptions, MaxUnpool2dOptions, Pair, Triple,
};

impl Graph {
    /// The maximum of every window of `[n, c, h, w]`: `[n, c, oh, ow]`.
    ///
    /// # Errors
    /// The window does not fit the image; the padding exceeds half the kernel.
    pub fn max_pool2d(&mut self, x: ValueId, kernel_size: impl Into<Pair>, o: MaxPool2dOptions) -> Result<ValueId> {
        self.layer(max_pool2d(kernel_size.into(), o, Indices::None)?, &[x])
    }

    /// As [`Graph::max_pool2d`], and the index of each maximum in its plane: i64, `iy w + ix`.
    ///
    /// # Errors
    /// As [`Graph::max_pool2d`].
    pub fn max_pool2d_with_indices(
        &mut self,
        x: ValueId,
        kernel_size: impl Into<Pair>,
        o: MaxPool2dOptions,
    ) -> Result<[ValueId; 2]> {
        let outputs = self.layer_of_several(max_pool2d(kernel_size.into(), o, Indices::Plane)?, &[x])?;
        Ok([outputs[0], outputs[1]])
    }

    /// The mean of every window of `[n, c, h, w]`: `[n, c, oh, ow]`.
    ///
    /// # Errors
    /// The window does not fit the image; the padding exceeds half the kernel.
    pub fn avg_pool2d(&mut self, x: ValueId, kernel_size: impl Into<Pair>, o: AvgPool2dOptions) -> Result<ValueId> {
        let kernel = kernel_size.into();
        let op = AvgPool2d {
            window: window(kernel.0, o.stride.map(|s| s.0), o.padding.0)?,
            ceil_mode: o.ceil_mode,
            count_include_pad: o.count_include_pad,
            divisor_override: o.divisor_override,
        };
        self.layer(op, &[x])
    }

    /// The maximum of every window of `[n, c, d, h, w]`: `[n, c, od, oh, ow]`.
    ///
    /// # Errors
    /// The window does not fit the volume; the padding exceeds half the kernel.
    pub fn max_pool3d(&mut self, x: ValueId, kernel_size: impl Into<Triple>, o: MaxPool3dOptions) -> Result<ValueId> {
        let window = window(kernel_size.into().0, o.stride.map(|s| s.0), o.padding.0)?;
        volume::max_pool(self, &x, Window { dilation: o.dilation.0, ..window }, o.ceil_mode)
    }

    /// The mean of every window of `[n, c, d, h, w]`: `[n, c, od, oh, ow]`.
    ///
    /// # Errors
    /// The window does not fit the volume; the padding exceeds half the kernel.
    pub fn avg_pool3d(&mut self, x: ValueId, kernel_size: impl Into<Triple>, o: AvgPool3dOptions) -> Result<ValueId> {
        let window = window(kernel_size.into().0, o.stride.map(|s| s.0), o.padding.0)?;
        let AvgPool3dOptions { ceil_mode, count_include_pad, divisor_override, .. } = o;
        volume::avg_pool(self, &x, window, Mean { ceil_mode, count_include_pad, divisor_override })
    }

    /// `(sum of x^p)^(1/p)` of every window of `[n, c, h, w]`: `[n, c, oh, ow]`. As in PyTorch, the sum is of x and not
    /// of |x|, and the sum of a window that exceeds the image is scaled up to a full window.
    ///
    /// # Errors
    /// The window does not fit the image; p is 0 or not finite.
    pub fn lp_pool2d(
        &mut self,
        x: ValueId,
        norm_type: f32,
        kernel_size: impl Into<Pair>,
        o: LpPool2dOptions,
    ) -> Result<ValueId> {
        let p = norm_type;
        let Pair(kernel) = kernel_size.into();
        let stride = o.stride.unwrap_or(Pair(kernel)).0;
        lp_arguments("lp_pool2d", p, &kernel, &stride)?;
        if p.fract() == 0.0 && (1.0..=64.0).contains(&p) {
            let window = Window { stride, ..Window::new(kernel) };
            let op = LpPool2d { window, ceil_mode: o.ceil_mode, p: p as u32, signed: true, rescale: true };
            return self.layer(op, &[x]);
        }
        self.root_of_sums(x, p, &kernel, &stride, o.ceil_mode, |graph, powers, divisor_override| {
            let mean = AvgPool2dOptions { divisor_override, ceil_mode: o.ceil_mode, ..AvgPool2dOptions::new() };
            graph.avg_pool2d(powers, kernel, AvgPool2dOptions { stride: Some(Pair(stride)), ..mean })
        })
    }

    /// `(sum of x^p)^(1/p)` of every window of `[n, c, d, h, w]`: `[n, c, od, oh, ow]`, as [`Graph::lp_pool2d`].
    ///
    /// # Errors
    /// The window does not fit the volume; p is 0 or not finite.
    pub fn lp_pool3d(
        &mut self,
        x: ValueId,
        norm_type: f32,
        kernel_size: impl Into<Triple>,
        o: LpPool3dOptions,
    ) -> Result<ValueId> {
        let Triple(kernel) = kernel_size.into();
        let stride = o.stride.unwrap_or(Triple(kernel)).0;
        lp_arguments("lp_pool3d", norm_type, &kernel, &stride)?;
        // The root of a slice's sum may not exist where that of the volume's does: powers are summed over all axes.
        self.root_of_sums(x, norm_type, &kernel, &stride, o.ceil_mode, |graph, powers, divisor_override| {
            let mean = AvgPool3dOptions { divisor_override, ceil_mode: o.ceil_mode, ..AvgPool3dOptions::new() };
            graph.avg_pool3d(powers, kernel, AvgPool3dOptions { stride: Some(Triple(stride)), ..mean })
        })
    }

    /// The root of order p of the sums of powers over windows, of which `mean` gives the means, or if there is a divisor the sums
    /// divided by that.
    fn root_of_sums(
        &mut self,
        x: ValueId,
        p: f32,
        kernel: &[usize],
        stride: &[usize],
        ceil_mode: bool,
        mean: impl FnOnce(&mut Graph, ValueId, Option<usize>) -> Result<ValueId>,
    ) -> Result<ValueId> {
        self.own(&[x])?;
        let fits = |axis: usize| match self.shape(x).get(2 + axis) {
            Some(&extent) => (extent as i64 - kernel[axis] as i64).rem_euclid(stride[axis] as i64) == 0,
            None => true,
        };
        // If no window exceeds the image, the power of a plain sum suffices.
        let whole = !ceil_mode || (0..kernel.len()).all(fits);
        let powers = self.power(x, p)?;
        let mut y = mean(self, powers, whole.then_some(1))?;
        if !whole {
            let taps = self.number(kernel.iter().product::<usize>() as f32)?;
            y = self.binary(y, taps, BinaryKind::Mul)?;
        }
        self.power(y, 1.0 / p)
    }

    /// `x^p` by the cheapest operator.
    pub(super) fn power(&mut self, x: ValueId, p: f32) -> Result<ValueId> {
        match p {
            1.0 => Ok(x),
            2.0 => self.binary(x, x, BinaryKind::Mul),
            0.5 => self.activation(x, Activation::Sqrt),
            -1.0 => self.activation(x, Activation::Reciprocal),
            _ => {
                let p = self.number(p)?;
                self.binary(x, p, BinaryKind::Pow)
            }
        }
    }

    /// `[n, c, h, w]` to `[n, c, oh, ow]`: each output is the mean of its part of the image.
    ///
    /// # Errors
    /// The input is not an image, or has no pixels.
    pub fn adaptive_avg_pool2d(&mut self, x: ValueId, output_size: impl Into<Pair>) -> Result<ValueId> {
        self.layer(AdaptivePool2d { output: output_size.into().0, kind: PoolKind::Avg }, &[x])
    }

    /// `[n, c, h, w]` to `[n, c, oh, ow]`: each output is the maximum of its part of the image.
    ///
    /// # Errors
    /// The input is not an image, or has no pixels.
    pub fn adaptive_max_pool2d(&mut self, x: ValueId, output_size: impl Into<Pair>) -> Result<ValueId> {
        self.layer(AdaptivePool2d { output: output_size.into().0, kind: PoolKind::Max }, &[x])
    }

    /// `[n, c, d, h, w]` to `[n, c, od, oh, ow]`: each output is the mean of its part of the volume.
    ///
    /// # Errors
    /// The input is not a volume, or has no pixels.
    pub fn adaptive_avg_pool3d(&mut self, x: ValueId, output_size: impl Into<Triple>) -> Result<ValueId> {
        volume::adaptive_pool(self, &x, output_size.into().0, PoolKind::Avg)
    }

    /// `[n, c, d, h, w]` to `[n, c, od, oh, ow]`: each output is the maximum of its part of the volume.
    ///
    /// # Errors
    /// The input is not a volume, or has no pixels.
    pub fn adaptive_max_pool3d(&mut self, x: ValueId, output_size: impl Into<Triple>) -> Result<ValueId> {
        volume::adaptive_pool(self, &x, output_size.into().0, PoolKind::Max)
    }

    /// Values `[n, c, h, w]` put back to the places `iy w + ix` of their planes that the indices name, zeros elsewhere.
    ///
    /// # Errors
    /// The indices do not fit the values; the output's size is none, or not less than a stride from the one that follows.
    pub fn max_unpool2d(
        &mut self,
        x: ValueId,
        indices: ValueId,
        kernel_size: impl Into<Pair>,
        o: MaxUnpool2dOptions,
    ) -> Result<ValueId> {
        let (kernel, &[n, c, h, w]) = (kernel_size.into().0, self.dims(x)?) else {
            return Err(Error::shape(format!("the input must be [n, c, h, w], not {:?}", self.shape(x))));
        };
        let stride = o.stride.map_or(kernel, |s| s.0);
        let follows = |outputs, axis: usize| unpooled(outputs, kernel[axis], stride[axis], [o.padding.0[axis]; 2]);
        let (oh, ow) = (follows(h, 0)?, follows(w, 1)?);
        let size = o.output_size.map_or([oh, ow], |size| size.0);
        if size.contains(&0) || (0..2).any(|axis| size[axis].abs_diff([oh, ow][axis]) >= stride[axis]) {
            return Err(Error::argument(format!("output_size {size:?} is not near {oh} x {ow} (stride {stride:?})")));
        }
        let shape = vec![n, c, size[0], size[1]];
        self.layer(MaxUnpool { shape, planes: n * c }, &[x, indices])
    }

    /// Images `[n, c, h, w]` of this size as the sums of their windows `[n, c kh kw, windows]`.
    ///
    /// # Errors
    /// The windows are not those of an image of this size.
    pub fn fold(
        &mut self,
        x: ValueId,
        output_size: impl Into<Pair>,
        kernel_size: impl Into<Pair>,
        o: FoldOptions,
    ) -> Result<ValueId> {
        let window = Window {
            kernel: kernel_size.into().0,
            stride: o.stride.0,
            padding: o.padding.0.map(|n| [n, n]),
            dilation: o.dilation.0,
        };
        self.layer(Fold { window, size: output_size.into().0 }, &[x])
    }
}

/// An error unless an order and a window are ones of a pooling by norms.
fn lp_arguments(function: &str, p: f32, kernel: &[usize], stride: &[usize]) -> Result<()> {
    if !p.is_finite() || p == 0.0 {
        return Err(Error::argument(format!("the norm of {function} must be finite and not 0, is {p}")));
    }
    match kernel.iter().zip(stride).find(|&(kernel, stride)| *kernel == 0 || *stride == 0) {
        Some((k, s)) => Err(Error::argument(format!("kernel {k} and stride {s} of {function} must not be 0"))),
        None => Ok(()),
    }
}

fn max_pool2d(kernel: Pair, o: MaxPool2dOptions, indices: Indices) -> Result<MaxPool2d> {
    Ok(MaxPool2d {
        window: Window { dilation: o.dilation.0, ..window(kernel.0, o.stride.map(|s| s.0), o.padding.0)? },
        ceil_mode: o.ceil_mode,
        indices,
    })
}

/// PyTorch limits the padding of a pooling to half the window.
fn window<const AXES: usize>(
    kernel: [usize; AXES],
    stride: Option<[usize; AXES]>,
    padding: [usize; AXES],
) -> Result<Window<AXES>> {
    if kernel.iter().zip(padding).any(|(k, n)| n > k / 2) {
        return Err(Error::argument(format!("padding {padding:?} exceeds half the window {kernel:?}")));
    }
    let stride = stride.unwrap_or(kernel);
    Ok(Window { stride, padding: padding.map(|n| [n; 2]), ..Window::new(kernel) })
}

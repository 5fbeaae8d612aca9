//! Pooling.

use crate::attr::{Activation, BinaryKind, PoolKind, Window};
use crate::error::{Error, Result};
use crate::graph::volume::{self, Mean};
use crate::graph::{Graph, ValueId};
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use crate::options::{
    AvgPool2dOptions, AvgPool3dOptions, LpPool2dOptions, MaxPool2dOptions, MaxPool3dOptions, Pair, Triple,
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
        if !p.is_finite() || p == 0.0 {
            return Err(Error::argument(format!("the norm of lp_pool2d must be finite and not 0, is {p}")));
        }
        if let Some(axis) = (0..2).find(|&axis| kernel[axis] == 0 || stride[axis] == 0) {
            let text = format!("kernel {} and stride {} of lp_pool2d must not be 0", kernel[axis], stride[axis]);
            return Err(Error::argument(text));
        }
        if p.fract() == 0.0 && (1.0..=64.0).contains(&p) {
            let window = Window { stride, ..Window::new(kernel) };
            let op = LpPool2d { window, ceil_mode: o.ceil_mode, p: p as u32, signed: true, rescale: true };
            return self.layer(op, &[x]);
        }
        // If no window exceeds the image, the power of a plain sum suffices.
        self.own(&[x])?;
        let rest = |axis: usize| match self.shape(x).get(2 + axis) {
            Some(&extent) => (extent as i64 - kernel[axis] as i64).rem_euclid(stride[axis] as i64),
            None => 0,
        };
        let whole = !o.ceil_mode || (rest(0) == 0 && rest(1) == 0);
        let powers = self.power(x, p)?;
        let taps = kernel[0] * kernel[1];
        let divisor_override = whole.then_some(1);
        let mean = AvgPool2dOptions { divisor_override, ceil_mode: o.ceil_mode, ..AvgPool2dOptions::new() };
        let mut y = self.avg_pool2d(powers, kernel, AvgPool2dOptions { stride: Some(Pair(stride)), ..mean })?;
        if !whole {
            let taps = self.number(taps as f32)?;
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

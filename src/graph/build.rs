//! The layers as methods of [`Graph`], PyTorch's options and semantics: each adds the nodes it takes.
//!
//! `nn` and `functional` are thin covers over these; a program that builds a network by hand calls them itself.

use super::{Graph, ValueId};
use crate::error::{Error, Result};
use crate::ops::adaptive_pool2d::{AdaptivePool2d, Kind};
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::binary::{Binary, BinaryKind};
use crate::ops::cast::Cast;
use crate::ops::concat::Concat;
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::pad::{Pad, PadMode};
use crate::ops::permute::Permute;
use crate::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};
use crate::ops::pool2d::{AvgPool2d, Indices, MaxPool2d};
use crate::ops::prelu::Prelu;
use crate::ops::reshape::Reshape;
use crate::ops::resize::{Coordinates, Resize2d, ResizeMode, Rounding};
use crate::ops::unary::{Activation, Unary};
use crate::options::{
    AvgPool2dOptions, Conv1dOptions, Conv2dOptions, ConvTranspose2dOptions, InterpolateMode, MaxPool2dOptions, Padding,
    PaddingMode, Pair, Scale,
};
use crate::shape::DType;
use crate::tensor::Tensor;

impl Graph {
    /// A name for the next node of this kind: the scope, the kind, a running number.
    fn next_name(&self, kind: &str) -> String {
        format!("{}{kind}_{}", self.scope, self.nodes.len())
    }

    /// Nodes added from here on have names that start with `scope`.
    pub fn set_scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// Applies an operator of one output under a name of its own.
    pub fn layer(&mut self, op: impl crate::ops::Op + 'static, inputs: &[ValueId]) -> Result<ValueId> {
        let name = self.next_name(op.name());
        self.apply(name, op, inputs)
    }

    /// `[n, ic, h, w]` with a weight `[oc, ic / groups, kh, kw]` to `[n, oc, oh, ow]`; the bias is `[oc]`.
    pub fn conv2d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: &Conv2dOptions) -> Result<ValueId> {
        let [_, _, kh, kw] = self.shape(w)[..] else {
            return Err(Error::shape(format!("the weight {:?} of conv2d must have rank 4", self.shape(w))));
        };
        let sides = o.padding.sides([kh, kw], o.stride.0, o.dilation.0)?;
        let (x, padding) = match o.padding_mode {
            PaddingMode::Zeros => (x, sides),
            mode => (self.pad2d(x, mode, sides)?, [0; 4]),
        };
        let op = Conv2d { stride: o.stride.0, padding, dilation: o.dilation.0, groups: o.groups };
        self.layer(op, &[&[x, w], bias.as_slice()].concat())
    }

    /// `[n, ic, l]` with a weight `[oc, ic / groups, k]` to `[n, oc, ol]`: `conv2d` of height 1.
    pub fn conv1d(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>, o: &Conv1dOptions) -> Result<ValueId> {
        let (&[n, ic, l], &[oc, icg, k]) = (self.shape(x), self.shape(w)) else {
            let (x, w) = (self.shape(x), self.shape(w));
            return Err(Error::shape(format!("conv1d takes [n, ic, l] and [oc, ic / groups, k], not {x:?} and {w:?}")));
        };
        let x = self.reshape(x, [n, ic, 1, l])?;
        let w = self.reshape(w, [oc, icg, 1, k])?;
        let options = Conv2dOptions {
            stride: [1, o.stride].into(),
            padding: Padding::Sides([0, 0, o.padding, o.padding]),
            dilation: [1, o.dilation].into(),
            groups: o.groups,
            padding_mode: PaddingMode::Zeros,
        };
        let y = self.conv2d(x, w, bias, &options)?;
        let [n, c, _, l] = self.shape(y)[..] else { unreachable!("conv2d gives rank 4") };
        self.reshape(y, vec![n, c, l])
    }

    /// `[.., in]` with a weight `[out, in]` to `[.., out]`; the bias is `[out]`. A convolution of a 1x1 image.
    pub fn linear(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>) -> Result<ValueId> {
        let (lead, features) = match self.shape(x).split_last() {
            Some((&features, lead)) => (lead.to_vec(), features),
            None => return Err(Error::shape("linear takes [.., in], not a scalar")),
        };
        let [out, inner] = self.shape(w)[..] else {
            return Err(Error::shape(format!("the weight {:?} of linear must be [out, in]", self.shape(w))));
        };
        if inner != features {
            let text = format!(
                "linear of {:?} with a weight {:?}: {features} features for {inner}",
                self.shape(x),
                [out, inner]
            );
            return Err(Error::shape(text));
        }
        let rows = lead.iter().product();
        let x = self.reshape(x, vec![rows, features, 1, 1])?;
        let w = self.reshape(w, vec![out, inner, 1, 1])?;
        let y = self.conv2d(x, w, bias, &Conv2dOptions::default())?;
        self.reshape(y, [lead, vec![out]].concat())
    }

    /// The maximum of every window of `[n, c, h, w]`, and where in its plane each is (i64, `iy w + ix`).
    pub fn max_pool2d_with_indices(
        &mut self,
        x: ValueId,
        kernel: impl Into<Pair>,
        o: &MaxPool2dOptions,
    ) -> Result<[ValueId; 2]> {
        let op = max_pool2d(kernel.into(), o, Indices::Plane)?;
        let name = self.next_name("max_pool2d");
        let outputs = self.add(name, op, &[x])?;
        Ok([outputs[0], outputs[1]])
    }

    /// The maximum of every window of `[n, c, h, w]`.
    pub fn max_pool2d(&mut self, x: ValueId, kernel: impl Into<Pair>, o: &MaxPool2dOptions) -> Result<ValueId> {
        self.layer(max_pool2d(kernel.into(), o, Indices::None)?, &[x])
    }

    /// The mean of every window of `[n, c, h, w]`.
    pub fn avg_pool2d(&mut self, x: ValueId, kernel: impl Into<Pair>, o: &AvgPool2dOptions) -> Result<ValueId> {
        let kernel = kernel.into();
        let op = AvgPool2d {
            kernel: kernel.0,
            stride: o.stride.unwrap_or(kernel).0,
            padding: pool_padding(kernel, o.padding)?,
            dilation: [1, 1],
            ceil_mode: o.ceil_mode,
            count_include_pad: o.count_include_pad,
            divisor_override: o.divisor_override,
        };
        self.layer(op, &[x])
    }

    /// `[n, c, h, w]` to `[n, c, oh, ow]`, each output the mean of its share of the input.
    pub fn adaptive_avg_pool2d(&mut self, x: ValueId, output: impl Into<Pair>) -> Result<ValueId> {
        self.layer(AdaptivePool2d { output: output.into().0, kind: Kind::Avg }, &[x])
    }

    /// `[n, c, h, w]` to `[n, c, oh, ow]`, each output the maximum of its share of the input.
    pub fn adaptive_max_pool2d(&mut self, x: ValueId, output: impl Into<Pair>) -> Result<ValueId> {
        self.layer(AdaptivePool2d { output: output.into().0, kind: Kind::Max }, &[x])
    }

    /// `[n, c, h, w]` with rows and columns added: top, bottom, left, right.
    pub fn pad2d(&mut self, x: ValueId, mode: PaddingMode, [top, bottom, left, right]: [usize; 4]) -> Result<ValueId> {
        let mode = match mode {
            PaddingMode::Zeros => PadMode::Constant(0.0),
            PaddingMode::Reflect => PadMode::Reflect,
            PaddingMode::Replicate => PadMode::Replicate,
            PaddingMode::Circular => PadMode::Circular,
        };
        let pair = |a: usize, b: usize| [a as i64, b as i64];
        self.layer(Pad { pads: vec![[0, 0], [0, 0], pair(top, bottom), pair(left, right)], mode }, &[x])
    }

    /// `[n, c, h, w]` resampled to another height and width.
    pub fn interpolate(&mut self, x: ValueId, to: Scale, mode: InterpolateMode) -> Result<ValueId> {
        let &[_, _, h, w] = self.shape(x) else {
            return Err(Error::shape(format!("interpolate takes [n, c, h, w], not {:?}", self.shape(x))));
        };
        let (size, scale) = match to {
            Scale::Size(size) => (size, None),
            Scale::Factor(f) if f.iter().any(|f| !(f.is_finite() && *f > 0.0)) => {
                return Err(Error::argument(format!("scale factors {f:?} must be positive")));
            }
            Scale::Factor([y, x]) => ([(h as f64 * y) as usize, (w as f64 * x) as usize], Some([y, x])),
        };
        let (mode, coordinates) = match mode {
            InterpolateMode::Nearest => (ResizeMode::Nearest(Rounding::Floor), Coordinates::TorchNearest),
            InterpolateMode::NearestExact => (ResizeMode::Nearest(Rounding::Floor), Coordinates::TorchNearestExact),
            InterpolateMode::Bilinear { align_corners } => (ResizeMode::Linear, corners(align_corners)),
            InterpolateMode::Bicubic { align_corners } => (ResizeMode::Cubic(-0.75), corners(align_corners)),
        };
        let scale = scale.filter(|_| coordinates != Coordinates::AlignCorners);
        self.layer(Resize2d { scale, ..Resize2d::new(size, mode, coordinates) }, &[x])
    }

    /// `[n, c r r, h, w]` to `[n, c, h r, w r]`.
    pub fn pixel_shuffle(&mut self, x: ValueId, factor: usize) -> Result<ValueId> {
        self.layer(PixelShuffle { factor, order: Order::ChannelFirst }, &[x])
    }

    /// `[n, c, h r, w r]` to `[n, c r r, h, w]`.
    pub fn pixel_unshuffle(&mut self, x: ValueId, factor: usize) -> Result<ValueId> {
        self.layer(PixelUnshuffle { factor, order: Order::ChannelFirst }, &[x])
    }

    /// Ones and zeros in place of an absent scale and shift of `c` channels.
    fn affine_or_identity(&mut self, affine: Option<[ValueId; 2]>, c: usize) -> Result<[ValueId; 2]> {
        match affine {
            Some(affine) => Ok(affine),
            None => Ok([self.constant("ones", Tensor::full([c], 1.0))?, self.constant("zeros", Tensor::zeros([c]))?]),
        }
    }

    fn channels(&self, x: ValueId) -> Result<usize> {
        let shape = self.shape(x);
        shape.get(1).copied().ok_or_else(|| Error::shape(format!("{shape:?} has no channel axis")))
    }

    /// `[n, c, ..]` normalised by given statistics `[mean, variance]`; `affine` is `[scale, shift]`, all of them `[c]`.
    pub fn batch_norm(
        &mut self,
        x: ValueId,
        affine: Option<[ValueId; 2]>,
        [mean, var]: [ValueId; 2],
        eps: f32,
    ) -> Result<ValueId> {
        let c = self.channels(x)?;
        let [weight, bias] = self.affine_or_identity(affine, c)?;
        self.layer(BatchNorm { eps }, &[x, weight, bias, mean, var])
    }

    /// `[n, c, ..]` normalised by its own statistics; and what the running `[mean, variance]` become with this momentum.
    pub fn batch_norm_training(
        &mut self,
        x: ValueId,
        affine: Option<[ValueId; 2]>,
        running: Option<[ValueId; 2]>,
        eps: f32,
        momentum: f32,
    ) -> Result<[ValueId; 3]> {
        let c = self.channels(x)?;
        let [weight, bias] = self.affine_or_identity(affine, c)?;
        let [mean, var] = self.affine_or_identity(running, c)?;
        let name = self.next_name("batch_norm");
        let op = BatchNormTraining { eps, momentum, unbiased: running.is_some() };
        let outputs = self.add(name, op, &[x, weight, bias, mean, var])?;
        Ok([outputs[0], outputs[1], outputs[2]])
    }

    /// Normalised over the last axes, which have this shape, as have the scale and shift.
    pub fn layer_norm(
        &mut self,
        x: ValueId,
        normalized_shape: &[usize],
        affine: Option<[ValueId; 2]>,
        eps: f32,
    ) -> Result<ValueId> {
        if !self.shape(x).ends_with(normalized_shape) {
            let text = format!("layer norm over {normalized_shape:?} is given {:?}", self.shape(x));
            return Err(Error::shape(text));
        }
        let op = LayerNorm { axes: normalized_shape.len(), eps, stats: false };
        self.layer(op, &with_affine(x, affine))
    }

    /// `[n, c, ..]` normalised over each of `groups` groups of channels of each image; scale and shift are `[c]`.
    pub fn group_norm(&mut self, x: ValueId, groups: usize, affine: Option<[ValueId; 2]>, eps: f32) -> Result<ValueId> {
        self.layer(GroupNorm { groups, eps }, &with_affine(x, affine))
    }

    /// `[n, c, ..]` normalised over each channel of each image; scale and shift are `[c]`.
    pub fn instance_norm(&mut self, x: ValueId, affine: Option<[ValueId; 2]>, eps: f32) -> Result<ValueId> {
        let groups = self.channels(x)?;
        self.group_norm(x, groups, affine, eps)
    }

    /// A function of two tensors under NumPy's broadcasting rule.
    pub fn binary(&mut self, a: ValueId, b: ValueId, kind: BinaryKind) -> Result<ValueId> {
        self.layer(Binary(kind), &[a, b])
    }

    /// `[n, c, ..]`: x, or slope x below 0; one slope, or one a channel.
    pub fn prelu(&mut self, x: ValueId, slope: ValueId) -> Result<ValueId> {
        self.layer(Prelu, &[x, slope])
    }

    /// Tensors one after another along an axis.
    pub fn concat(&mut self, parts: &[ValueId], axis: i64) -> Result<ValueId> {
        let rank = parts.first().map_or(0, |&p| self.shape(p).len());
        let axis = crate::shape::axis(axis, rank)?;
        self.layer(Concat { axis }, parts)
    }

    /// Axis i of the result is axis `order[i]` of `x`.
    pub fn permute(&mut self, x: ValueId, order: &[usize]) -> Result<ValueId> {
        self.layer(Permute { order: order.to_vec() }, &[x])
    }

    /// The elements as another type.
    pub fn cast(&mut self, x: ValueId, to: DType) -> Result<ValueId> {
        self.layer(Cast { to }, &[x])
    }

    /// `[n, ic, h, w]` with a weight `[ic, oc / groups, kh, kw]` to `[n, oc, oh, ow]`; the bias is `[oc]`.
    pub fn conv_transpose2d(
        &mut self,
        x: ValueId,
        w: ValueId,
        bias: Option<ValueId>,
        o: &ConvTranspose2dOptions,
    ) -> Result<ValueId> {
        let Pair([py, px]) = o.padding;
        let Pair(extra) = o.output_padding;
        if (0..2).any(|a| extra[a] >= o.stride.0[a].max(o.dilation.0[a])) {
            let text = format!("output_padding {extra:?} must be smaller than the stride or the dilation");
            return Err(Error::argument(text));
        }
        let op = ConvTranspose2d {
            stride: o.stride.0,
            padding: [py, py, px, px],
            output_padding: extra,
            dilation: o.dilation.0,
            groups: o.groups,
        };
        self.layer(op, &[&[x, w], bias.as_slice()].concat())
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: ValueId, shape: impl Into<Vec<usize>>) -> Result<ValueId> {
        let shape = shape.into();
        if self.shape(x) == shape {
            return Ok(x);
        }
        if let Some(tensor) = self.constant_of(x) {
            let (name, tensor) = (self.values[x.0].name.clone(), tensor.reshape(shape)?);
            return self.constant(name, tensor);
        }
        self.layer(Reshape { shape }, &[x])
    }

    /// Axes `start..=end` become one; negative axes count from the end.
    pub fn flatten(&mut self, x: ValueId, start: i64, end: i64) -> Result<ValueId> {
        let shape = self.shape(x).to_vec();
        if shape.is_empty() {
            return self.reshape(x, [1]);
        }
        let (start, end) = (crate::shape::axis(start, shape.len())?, crate::shape::axis(end, shape.len())?);
        if start > end {
            return Err(Error::argument(format!("flatten from axis {start} to axis {end}")));
        }
        let middle = shape[start..=end].iter().product();
        self.reshape(x, [&shape[..start], &[middle], &shape[end + 1..]].concat())
    }

    /// A function of every element.
    pub fn activation(&mut self, x: ValueId, f: Activation) -> Result<ValueId> {
        self.layer(Unary(f), &[x])
    }
}

fn with_affine(x: ValueId, affine: Option<[ValueId; 2]>) -> Vec<ValueId> {
    std::iter::once(x).chain(affine.into_iter().flatten()).collect()
}

fn corners(align: bool) -> Coordinates {
    if align { Coordinates::AlignCorners } else { Coordinates::HalfPixel }
}

fn max_pool2d(kernel: Pair, o: &MaxPool2dOptions, indices: Indices) -> Result<MaxPool2d> {
    Ok(MaxPool2d {
        kernel: kernel.0,
        stride: o.stride.unwrap_or(kernel).0,
        padding: pool_padding(kernel, o.padding)?,
        dilation: o.dilation.0,
        ceil_mode: o.ceil_mode,
        indices,
    })
}

/// PyTorch pads a pooling's window by at most half of it.
fn pool_padding(Pair(kernel): Pair, Pair([y, x]): Pair) -> Result<[usize; 4]> {
    if y > kernel[0] / 2 || x > kernel[1] / 2 {
        return Err(Error::argument(format!("padding {:?} exceeds half the window {kernel:?}", [y, x])));
    }
    Ok([y, y, x, x])
}

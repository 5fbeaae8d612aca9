//! Conv and ConvTranspose.

use super::operator::Operator;
use super::window::{AutoPad, Sliding, spatial};
use super::{Import, NodeView, Val};
use crate::attr::{PadMode, Window};
use crate::error::{Error, Result};
use crate::graph::deform::DeformConv;
use crate::graph::volume::{Conv3d, ConvTranspose3d};
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::pad::Pad;

/// Attributes that [`Import::conv`] reads.
pub(super) const ATTRIBUTES: &[&str] = &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Conv", ATTRIBUTES, conv),
    Operator::new(
        "ConvTranspose",
        &["auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"],
        conv_transpose,
    ),
    Operator::new(
        "DeformConv",
        &["dilations", "group", "kernel_shape", "offset_group", "pads", "strides"],
        deform_conv,
    ),
];

/// <https://onnx.ai/onnx/operators/onnx__DeformConv.html>: of images.
fn deform_conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight, offset) = (node.input(0)?, node.input(1)?, node.input(2)?);
    if x.rank() != 4 || weight.rank() != 4 {
        return Err(Error::unsupported(format!(
            "DeformConv of {} with a weight {} (images only)",
            x.desc(),
            weight.desc()
        )));
    }
    let sliding: Sliding = Sliding::of(node, x.shape(), weight.shape().get(2..))?;
    if sliding.padding.as_flattened().iter().any(|&n| n < 0) {
        return Err(Error::unsupported(format!("DeformConv with negative pads {:?}", sliding.padding)));
    }
    let (groups, offset_groups) = (node.count("group", 1)?, node.count("offset_group", 1)?);
    let conv = DeformConv { window: sliding.split().0, groups, offset_groups };
    Ok(vec![conv.apply(import, [x, weight, offset], node.optional(4), node.optional(3))?])
}

/// <https://onnx.ai/onnx/operators/onnx__Conv.html>
fn conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    Ok(vec![import.conv(node, node.input(0)?, node.input(1)?, node.optional(2))?])
}

impl Import<'_> {
    /// The convolution that a node's attributes say.
    pub fn conv(&mut self, node: &NodeView, x: &Val, weight: &Val, bias: Option<&Val>) -> Result<Val> {
        if x.rank() > 4 {
            return self.conv3d(node, x, weight, bias);
        }
        let (op, image, weight) = self.convolution(node, x, weight)?;
        let inputs: Vec<&Val> = [&image, &weight].into_iter().chain(bias).collect();
        let y = self.apply(op, &inputs)?;
        self.as_rank(&y, x.rank())
    }

    /// The operator, and its inputs as images.
    pub fn convolution(&mut self, node: &NodeView, x: &Val, weight: &Val) -> Result<(Conv2d, Val, Val)> {
        let (window, crop) = Sliding::of(node, x.shape(), weight.shape().get(2..))?.split();
        let Window { stride, padding, dilation, .. } = window;
        let image = self.as_image(x)?;
        let image = self.cropped(&image, &crop)?;
        let weight = self.as_image(weight)?;
        Ok((Conv2d { stride, padding, dilation, groups: node.count("group", 1)? }, image, weight))
    }

    /// Of volumes.
    fn conv3d(&mut self, node: &NodeView, x: &Val, weight: &Val, bias: Option<&Val>) -> Result<Val> {
        let (window, crop) = Sliding::of(node, x.shape(), weight.shape().get(2..))?.split();
        let Window { stride, padding, dilation, .. } = window;
        let x = self.cropped(x, &crop)?;
        Conv3d { stride, padding, dilation, groups: node.count("group", 1)? }.apply(self, &x, weight, bias)
    }

    /// Less what negative pads cut off.
    fn cropped(&mut self, x: &Val, crop: &[[i64; 2]]) -> Result<Val> {
        if crop.as_flattened().iter().all(|&n| n == 0) {
            return Ok(x.clone());
        }
        let pads = [&[[0; 2]; 2], crop].concat();
        self.apply(Pad { pads, mode: PadMode::Constant(0.0) }, &[x])
    }
}

/// <https://onnx.ai/onnx/operators/onnx__ConvTranspose.html>
fn conv_transpose(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight) = (node.input(0)?, node.input(1)?);
    let groups = node.count("group", 1)?;
    if x.rank() > 4 {
        let Transposed { window, output_padding } = Transposed::of(node, x, weight)?;
        let Window { stride, padding, dilation, .. } = window;
        let op = ConvTranspose3d { stride, padding, output_padding, dilation, groups };
        return Ok(vec![op.apply(import, x, weight, node.optional(2))?]);
    }
    let Transposed { window, output_padding } = Transposed::of(node, x, weight)?;
    let Window { stride, padding, dilation, .. } = window;
    let image = import.as_image(x)?;
    let weight = import.as_image(weight)?;
    let inputs: Vec<&Val> = [&image, &weight].into_iter().chain(node.optional(2)).collect();
    let y = import.apply(ConvTranspose2d { stride, padding, output_padding, dilation, groups }, &inputs)?;
    Ok(vec![import.as_rank(&y, x.rank())?])
}

/// How a transposed convolution moves, and what is added at the end of its result. An image of one axis is one row.
struct Transposed<const AXES: usize> {
    window: Window<AXES>,
    output_padding: [usize; AXES],
}

impl<const AXES: usize> Transposed<AXES> {
    fn of(node: &NodeView, x: &Val, weight: &Val) -> Result<Self> {
        let moves: Sliding<AXES> = Sliding::of(node, x.shape(), weight.shape().get(2..))?;
        let axes = spatial(node, x.shape(), AXES)?;
        let extra = node.counts("output_padding")?.unwrap_or(vec![0; axes.len()]);
        let output_padding = last("output_padding", axes, &extra, 0)?;
        let Sliding { kernel, stride, dilation, .. } = moves;
        let window = Window { kernel, stride, dilation, padding: [[0; 2]; AXES] };
        let alone = Transposed { window, output_padding };
        match output_shape(node, axes)? {
            Some(output) => alone.fit(AutoPad::of(node)?, last("the input", axes, axes, 1)?, output),
            None if AutoPad::of(node)? == AutoPad::NotSet => {
                let pads = moves.padding;
                if pads.as_flattened().iter().any(|&p| p < 0) {
                    return Err(Error::unsupported(format!("ConvTranspose with negative pads {pads:?}")));
                }
                let padding = pads.map(|axis| axis.map(|p| p as usize));
                Ok(Transposed { window: Window { padding, ..window }, output_padding })
            }
            None => Ok(alone),
        }
    }

    /// With padding and output padding such that the output has these extents.
    fn fit(mut self, auto: AutoPad, input: [usize; AXES], output: [usize; AXES]) -> Result<Self> {
        let Transposed { window, output_padding } = &mut self;
        for k in 0..AXES {
            let spread = (input[k].saturating_sub(1) as i128) * window.stride[k] as i128;
            let total = spread + window.span(k) as i128 + output_padding[k] as i128 - output[k] as i128;
            let total = i64::try_from(total).map_err(|_| Error::shape("the output of ConvTranspose is too large"))?;
            // Only SAME_UPPER puts the extra element at the end (the operator's documentation).
            let auto = if auto == AutoPad::SameUpper { auto } else { AutoPad::SameLower };
            let [begin, end] = auto.halves(total.max(0));
            window.padding[k] = [begin as usize, end as usize];
            output_padding[k] += (-total).max(0) as usize;
        }
        Ok(self)
    }
}

/// The output's extents, if `output_shape` or `auto_pad` fixes them: `input x stride` for the latter.
fn output_shape<const AXES: usize>(node: &NodeView, axes: &[usize]) -> Result<Option<[usize; AXES]>> {
    if let Some(shape) = node.counts("output_shape")? {
        let behind = shape.len().saturating_sub(axes.len());
        return last("output_shape", axes, &shape[behind..], 1).map(Some);
    }
    if ![AutoPad::SameUpper, AutoPad::SameLower].contains(&AutoPad::of(node)?) {
        return Ok(None);
    }
    let strides = node.counts("strides")?.unwrap_or(vec![1; axes.len()]);
    let extents: Vec<_> = axes.iter().zip(&strides).map(|(&n, &s)| n.saturating_mul(s)).collect();
    last("the output", axes, &extents, 1).map(Some)
}

/// A value for each axis, `none` for those that the image does not have.
fn last<const AXES: usize>(what: &str, spatial: &[usize], list: &[usize], none: usize) -> Result<[usize; AXES]> {
    if list.len() != spatial.len() {
        return Err(Error::shape(format!("{what} {list:?} does not fit {} spatial axes", spatial.len())));
    }
    let mut all = [none; AXES];
    all[AXES - list.len()..].copy_from_slice(list);
    Ok(all)
}

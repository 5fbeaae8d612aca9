//! MaxPool, MaxUnpool, AveragePool, LpPool, GlobalAveragePool, GlobalLpPool, GlobalMaxPool.

use super::node_view::counts;
use super::operator::Operator;
use super::window::{AutoPad, Pooled, Pooling};
use super::{Import, NodeView, Val, checked_numel};
use crate::attr::{PoolKind, Window};
use crate::error::{Error, Result};
use crate::graph::volume::{self, Mean};
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::max_unpool::{MaxUnpool, unpooled};
use crate::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use crate::shape::DType;

pub(super) const AVERAGE: &[&str] =
    &["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"];
const MAX: &[&str] = &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"];
const LP: &[&str] = &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "p", "pads", "strides"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("AveragePool", AVERAGE, average_pool),
    Operator::new("GlobalAveragePool", &[], global_average_pool),
    Operator::new("GlobalLpPool", &["p"], global_lp_pool),
    Operator::new("GlobalMaxPool", &[], |i, n| global_pool(i, n, PoolKind::Max)),
    Operator::new("LpPool", LP, lp_pool),
    Operator::new("MaxPool", MAX, max_pool),
    Operator::new("MaxUnpool", &["kernel_shape", "pads", "strides"], max_unpool).host(&[2]),
];

/// With `auto_pad`, which fixes the output's size, no window may exceed the image.
fn ceil_mode(node: &NodeView) -> Result<bool> {
    Ok(node.flag("ceil_mode", false)? && AutoPad::of(node)? == AutoPad::NotSet)
}

/// <https://onnx.ai/onnx/operators/onnx__MaxPool.html>. Integers, which have 8 bits, are pooled as f32, which has not
/// all of those of 32 bits.
fn max_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    if matches!(x.dtype(), DType::I32 | DType::U32 | DType::I64) {
        return Err(Error::unsupported(format!(
            "{} of {} (floats, and integers of 8 and 16 bits)",
            node.op(),
            x.desc()
        )));
    }
    let pooling = Pooling::of(node, x.shape())?;
    let indices = match (node.gives(1), node.flag("storage_order", false)?) {
        (false, _) => Indices::None,
        (true, false) => Indices::Tensor,
        (true, true) => Indices::TensorColumnMajor,
    };
    let (window, ceil_mode) = (pooling.window()?, ceil_mode(node)?);
    if indices == Indices::TensorColumnMajor && x.rank() > 4 {
        return Err(Error::unsupported(format!(
            "{} of {}: storage_order = 1 is supported for images only",
            node.op(),
            x.desc()
        )));
    }
    let image = pooling.image(import, x)?;
    let image = if x.dtype().is_integer() { import.cast(&image, DType::F32)? } else { image };
    let mut outputs = match window {
        Pooled::Image(window) => import.apply_all(MaxPool2d { window, ceil_mode, indices }, &[&image])?,
        Pooled::Volume(window) if indices == Indices::None => {
            vec![volume::max_pool(import, &image, window, ceil_mode)?]
        }
        Pooled::Volume(_) => {
            return Err(Error::unsupported(format!("{} of {} with Indices over three axes", node.op(), x.desc())));
        }
    };
    outputs[0] = import.cast(&outputs[0], x.dtype())?;
    outputs.iter().map(|y| pooling.back(import, y, x)).collect()
}

/// <https://onnx.ai/onnx/operators/onnx__MaxUnpool.html>: indices are those of places in the output, as the operator's text and
/// ONNX Runtime have it, also where the output's shape is given.
fn max_unpool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, indices) = (node.input(0)?, node.input(1)?);
    let &[n, c, ref spatial @ ..] = x.shape() else {
        return Err(Error::shape(format!("MaxUnpool of {}: the input must be [n, c] with spatial axes", x.desc())));
    };
    let count = spatial.len();
    let kernel = node.counts("kernel_shape")?.unwrap_or_default();
    let stride = node.counts("strides")?.unwrap_or(vec![1; count]);
    let pads = node.counts("pads")?.unwrap_or(vec![0; 2 * count]);
    if kernel.len() != count || stride.len() != count || pads.len() != 2 * count {
        return Err(Error::shape(format!(
            "MaxUnpool of {}: kernel_shape {kernel:?}, strides {stride:?} and pads {pads:?} do not fit",
            x.desc()
        )));
    }
    let extent = |k: usize| unpooled(spatial[k], kernel[k], stride[k], [pads[k], pads[count + k]]);
    let extents = (0..count).map(extent).collect::<Result<Vec<usize>>>()?;
    let least = [&[n, c], &extents[..]].concat();
    let shape = match node.host_ints(2)? {
        Some(given) => counts("output_shape", &given)?,
        None => least.clone(),
    };
    if shape.len() != least.len()
        || shape[..2] != least[..2]
        || shape.iter().zip(&least).any(|(have, need)| have < need)
    {
        return Err(Error::shape(format!(
            "MaxUnpool of {}: output_shape {shape:?} must be {least:?}, or larger along the spatial axes",
            x.desc()
        )));
    }
    checked_numel(&shape)?;
    Ok(vec![import.apply(MaxUnpool { shape, planes: 1 }, &[x, indices])?])
}

/// <https://onnx.ai/onnx/operators/onnx__AveragePool.html>
pub(super) fn average_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let pooling = Pooling::of(node, x.shape())?;
    let (ceil_mode, count_include_pad) = (ceil_mode(node)?, node.flag("count_include_pad", false)?);
    let divisor_override = None;
    let (window, image) = (pooling.window()?, pooling.image(import, x)?);
    let y = match window {
        Pooled::Image(window) => {
            import.apply(AvgPool2d { window, ceil_mode, count_include_pad, divisor_override }, &[&image])?
        }
        Pooled::Volume(window) => {
            volume::avg_pool(import, &image, window, Mean { ceil_mode, count_include_pad, divisor_override })?
        }
    };
    Ok(vec![pooling.back(import, &y, x)?])
}

/// <https://onnx.ai/onnx/operators/onnx__LpPool.html>
fn lp_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let pooling = Pooling::of(node, x.shape())?;
    let (ceil_mode, p) = (ceil_mode(node)?, order(node)?);
    let (window, image) = (pooling.window()?, pooling.image(import, x)?);
    let y = match window {
        Pooled::Image(window) => {
            import.apply(LpPool2d { window, ceil_mode, p, signed: false, rescale: false }, &[&image])?
        }
        Pooled::Volume(window) => volume::lp_pool(import, &image, window, ceil_mode, p)?,
    };
    Ok(vec![pooling.back(import, &y, x)?])
}

/// <https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html>
fn global_lp_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let p = order(node)?;
    whole_plane(import, node, |import, image| {
        let &[_, _, h, w] = image.shape() else { unreachable!("it is an image") };
        let window = Window { stride: [1, 1], ..Window::new([h, w]) };
        let (ceil_mode, signed, rescale) = (false, false, false);
        let op = LpPool2d { window, ceil_mode, p, signed, rescale };
        import.apply(op, &[image])
    })
}

fn order(node: &NodeView) -> Result<u32> {
    let p = node.count("p", 2)?;
    u32::try_from(p).map_err(|_| Error::argument(format!("{} with p = {p}", node.op())))
}

pub(super) fn global_average_pool(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    global_pool(import, node, PoolKind::Avg)
}

fn global_pool(import: &mut Import, node: &NodeView, kind: PoolKind) -> Result<Vec<Val>> {
    whole_plane(import, node, |import, image| import.apply(AdaptivePool2d { output: [1, 1], kind }, &[image]))
}

/// One value per channel, whatever the number of spatial axes.
fn whole_plane(
    import: &mut Import,
    node: &NodeView,
    pool: impl FnOnce(&mut Import, &Val) -> Result<Val>,
) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let [n, c, spatial @ ..] = x.shape() else {
        return Err(Error::shape(format!("{} of {}: the input must be [n, c] with spatial axes", node.op(), x.desc())));
    };
    let (rows, columns) = spatial.split_at(spatial.len().saturating_sub(1));
    let (rows, columns) = (rows.iter().product(), columns.iter().product());
    let image = import.reshape(x, &[*n, *c, rows, columns])?;
    let y = pool(import, &image)?;
    let mut shape = vec![1; x.rank()];
    shape[..2].copy_from_slice(&[*n, *c]);
    Ok(vec![import.reshape(&y, &shape)?])
}

//! Col2Im.

use super::node_view::counts;
use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::Window;
use crate::error::{Error, Result};
use crate::ops::fold::Fold;
use crate::shape::numel;

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Col2Im", &["dilations", "pads", "strides"], col2im).host(&[1, 2])];

/// The largest extent of an image, a block, or what is between them, so that sums of some fit any number.
const MOST: usize = 1 << 30;

/// The most axes of an image.
const MOST_AXES: usize = 6;

/// A window along one axis of an image.
#[derive(Clone, Copy, Debug)]
struct Along {
    extent: usize,
    kernel: usize,
    stride: usize,
    padding: [usize; 2],
    dilation: usize,
}

/// An axis that is not there.
const NONE: Along = Along { extent: 1, kernel: 1, stride: 1, padding: [0; 2], dilation: 1 };

impl Along {
    /// The places of the window.
    fn places(&self) -> usize {
        let window = self.window(NONE);
        window.outputs(0, self.extent).unwrap_or(0)
    }

    /// Of this axis and the one after it.
    fn window(self, next: Along) -> Window {
        Window {
            kernel: [self.kernel, next.kernel],
            stride: [self.stride, next.stride],
            padding: [self.padding, next.padding],
            dilation: [self.dilation, next.dilation],
        }
    }
}

/// <https://onnx.ai/onnx/operators/onnx__Col2Im.html>
fn col2im(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let list = |k: usize, what: &str| counts(what, &node.host_ints(k)?.unwrap_or_default());
    let (image, kernel) = (list(1, "image_shape")?, list(2, "block_shape")?);
    let count = image.len();
    let stride = node.counts("strides")?.unwrap_or(vec![1; count]);
    let dilation = node.counts("dilations")?.unwrap_or(vec![1; count]);
    let pads = node.counts("pads")?.unwrap_or(vec![0; 2 * count]);
    if count == 0 || [&kernel, &stride, &dilation].iter().any(|list| list.len() != count) || pads.len() != 2 * count {
        return Err(Error::shape(format!(
            "Col2Im of an image {image:?} with blocks {kernel:?}, strides {stride:?}, dilations {dilation:?} and pads \
             {pads:?}: it takes one number of each per axis, and two pads"
        )));
    }
    if count > MOST_AXES {
        return Err(Error::unsupported(format!("Col2Im over {count} axes (at most {MOST_AXES})")));
    }
    if [&kernel, &stride, &dilation].iter().any(|list| list.contains(&0)) {
        return Err(Error::argument("block_shape, strides and dilations of Col2Im must be at least 1"));
    }
    if [&image, &kernel, &stride, &dilation, &pads].into_iter().flatten().any(|n| *n > MOST) {
        return Err(Error::unsupported(format!(
            "Col2Im of an image {image:?} with blocks {kernel:?} and pads {pads:?}: too large"
        )));
    }
    let along = |k: usize| Along {
        extent: image[k],
        kernel: kernel[k],
        stride: stride[k],
        padding: [pads[k], pads[count + k]],
        dilation: dilation[k],
    };
    Ok(vec![fold(import, x, &(0..count).map(along).collect::<Vec<_>>())?])
}

/// `[n, c kernel.., places..]` to `[n, c, extent..]`: the last two axes, for every tap and place of those before them, and then
/// these with what that gave as channels.
fn fold(import: &mut Import, x: &Val, axes: &[Along]) -> Result<Val> {
    let (head, tail) = axes.split_at(axes.len().saturating_sub(2));
    let (window, size) = match tail {
        [only] => (only.window(NONE), [only.extent, 1]),
        [rows, columns] => (rows.window(*columns), [rows.extent, columns.extent]),
        _ => return Err(Error::shape("Col2Im of an image without axes")),
    };
    // Beyond any tensor a product no longer counts.
    let product = |axes: &[Along], of: fn(&Along) -> usize| axes.iter().map(of).fold(1, usize::saturating_mul);
    let (taps, places) = (product(head, |a| a.kernel), product(head, Along::places));
    let (inner_taps, inner_places) = (product(tail, |a| a.kernel), product(tail, Along::places));
    if head.is_empty() {
        let y = import.apply(Fold { window, size }, &[x])?;
        let extents: Vec<_> = axes.iter().map(|axis| axis.extent).collect();
        return import.reshape(&y, &[&y.shape()[..2], &extents].concat());
    }
    let &[n, rows, windows] = x.shape() else {
        return Err(Error::shape(format!("the input must be [n, c block, windows], not {:?}", x.shape())));
    };
    let all = taps.checked_mul(inner_taps).filter(|all| *all > 0 && rows.is_multiple_of(*all));
    let (Some(all), true) = (all, places.checked_mul(inner_places) == Some(windows)) else {
        return Err(Error::shape(format!(
            "{rows} rows of {windows} windows: blocks have {taps} x {inner_taps} taps, the image {places} x {inner_places} windows"
        )));
    };
    let c = rows / all;
    let permute = |import: &mut Import, x: &Val, shape: &[usize], order: &[usize]| {
        let x = import.reshape(x, shape)?;
        import.permute(&x, order)
    };
    let by_place = permute(import, x, &[n, c * taps, inner_taps, places, inner_places], &[0, 3, 1, 2, 4])?;
    let by_place = import.reshape(&by_place, &[n * places, c * taps * inner_taps, inner_places])?;
    let inner = import.apply(Fold { window, size }, &[&by_place])?;
    let pixels = numel(&size);
    let channels = permute(import, &inner, &[n, places, c, taps, pixels], &[0, 2, 4, 3, 1])?;
    let channels = import.reshape(&channels, &[n, c * pixels * taps, places])?;
    let outer = fold(import, &channels, head)?;
    let extent = product(head, |a| a.extent);
    let y = permute(import, &outer, &[n, c, pixels, extent], &[0, 1, 3, 2])?;
    let extents: Vec<_> = axes.iter().map(|axis| axis.extent).collect();
    import.reshape(&y, &[&[n, c], &extents[..]].concat())
}

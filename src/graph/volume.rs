//! Convolution and pooling of volumes `[n, c, d, h, w]`, by the operators of images.
//!
//! A convolution, transposed or not, that leaves two axes alone is one of images whose other axis is both of these together. One
//! that leaves one axis alone is one of images for each of its entries. Else the depth taps become channels, and it leaves the
//! depth alone: no sum is divided, so that bias, activation and error bound are those of one convolution. A pooling is that of
//! each slice, and then that along the depth.

use super::assemble::Assemble;
use crate::attr::{PadMode, Pads, PoolKind, Window, span};
use crate::error::{Error, Result};
use crate::memory;
use crate::ops::Op;
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::gather::Gather;
use crate::ops::pad::Pad;
use crate::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};
use crate::shape::checked_numel;
use crate::tensor::Tensor;

/// A convolution of volumes; triples are (depth, vertical, horizontal).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv3d {
    pub stride: [usize; 3],
    /// Zeros around the volume.
    pub padding: Pads<usize, 3>,
    pub dilation: [usize; 3],
    pub groups: usize,
}

impl Conv3d {
    /// `[n, ic, d, h, w]` with a weight `[oc, ic / groups, kd, kh, kw]` to `[n, oc, od, oh, ow]`; the bias is `[oc]`.
    pub fn apply<A: Assemble>(
        &self,
        to: &mut A,
        x: &A::Value,
        w: &A::Value,
        bias: Option<&A::Value>,
    ) -> Result<A::Value> {
        let (image, kernel) = (to.extents(x)?, to.extents(w)?);
        let (&[_, ic, _, _, _], &[oc, icg, kd, kh, kw]) = (&image[..], &kernel[..]) else {
            return Err(Error::shape(format!(
                "a convolution of volumes takes [n, ic, d, h, w] and [oc, ic / groups, kd, kh, kw], not {image:?} and {kernel:?}"
            )));
        };
        let groups = self.groups;
        if groups == 0 || !oc.is_multiple_of(groups) || icg.checked_mul(groups) != Some(ic) {
            return Err(Error::shape(format!(
                "{ic} input channels in {groups} groups do not fit the weight {kernel:?}"
            )));
        }
        let Conv3d { stride, padding, dilation, .. } = *self;
        let window = Window { kernel: [kd, kh, kw], stride, padding, dilation };
        let filters = Filters { groups, window, bias, transposed: None };
        if let Some(y) = filters.leaving_one_alone(to, x, w)? {
            return Ok(y);
        }
        let x = depth_taps(to, x, &window)?;
        let w = to.see_as(w, &[oc, icg * kd, 1, kh, kw])?;
        filters.over_slices(to, &x, &w, 0)
    }
}

/// A transposed convolution of volumes; triples are (depth, vertical, horizontal).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvTranspose3d {
    pub stride: [usize; 3],
    /// Slices, rows and columns cut off the result.
    pub padding: Pads<usize, 3>,
    /// Slices, rows and columns added at the end of the result.
    pub output_padding: [usize; 3],
    pub dilation: [usize; 3],
    pub groups: usize,
}

impl ConvTranspose3d {
    /// `[n, ic, d, h, w]` with a weight `[ic, oc / groups, kd, kh, kw]` to `[n, oc, od, oh, ow]`; the bias is `[oc]`.
    pub fn apply<A: Assemble>(
        &self,
        to: &mut A,
        x: &A::Value,
        w: &A::Value,
        bias: Option<&A::Value>,
    ) -> Result<A::Value> {
        let (image, kernel) = (to.extents(x)?, to.extents(w)?);
        let (&[_, ic, _, _, _], &[rows, ocg, kd, kh, kw]) = (&image[..], &kernel[..]) else {
            return Err(Error::shape(format!(
                "a transposed convolution of volumes takes [n, ic, d, h, w] and [ic, oc / groups, kd, kh, kw], not {image:?} \
                 and {kernel:?}"
            )));
        };
        let groups = self.groups;
        if groups == 0 || !ic.is_multiple_of(groups) || rows != ic {
            return Err(Error::shape(format!(
                "{ic} input channels in {groups} groups do not fit the weight {kernel:?}"
            )));
        }
        let ConvTranspose3d { stride, padding, output_padding: extra, dilation, .. } = *self;
        let window = Window { kernel: [kd, kh, kw], stride, padding, dilation };
        let filters = Filters { groups, window, bias, transposed: Some(extra) };
        if let Some(y) = filters.leaving_one_alone(to, x, w)? {
            return Ok(y);
        }
        let x = depth_sources(to, x, &window, extra[0])?;
        let w = to.reorder(w, &[0, 2, 1, 3, 4])?;
        let w = to.see_as(&w, &[ic.saturating_mul(kd), ocg, 1, kh, kw])?;
        filters.over_slices(to, &x, &w, 0)
    }
}

/// `[n, c, d, h, w]` to `[n, c kd, od, h, w]`: channel `c kd + k` of slice o is that of x which tap k along the depth carries to
/// slice o of a transposed convolution, or 0 if it carries none there.
fn depth_sources<A: Assemble>(to: &mut A, x: &A::Value, window: &Window<3>, extra: usize) -> Result<A::Value> {
    let &[n, c, d, h, w] = &to.extents(x)?[..] else { unreachable!("it is a volume") };
    let Window { kernel: [taps, ..], stride: [stride, ..], padding: [[front, back], ..], dilation: [dilation, ..] } =
        *window;
    not_zero(taps, stride, dilation)?;
    let spread = d.checked_sub(1).map(|last| last.saturating_mul(stride).saturating_add(span(taps, dilation)));
    let whole = spread.map(|n| n.saturating_add(extra)).filter(|&n| n <= i32::MAX as usize);
    let outputs = whole.and_then(|n| n.checked_sub(front)?.checked_sub(back)).filter(|&n| n > 0).ok_or_else(|| {
        Error::shape(format!(
            "the padding [{front}, {back}] of the depth leaves nothing, or too much, for a depth of {d}"
        ))
    })?;
    let source = |o: usize, k: usize| {
        let from = (o + front).checked_sub(k * dilation).filter(|from| from.is_multiple_of(stride));
        from.map(|from| from / stride).filter(|&slice| slice < d)
    };
    // The slice behind the last is 0.
    let sources = (0..taps).flat_map(|k| (0..outputs).map(move |o| source(o, k).unwrap_or(d) as i32));
    gathered(to, x, &[n, c, d, h.saturating_mul(w)], [0, 1], [taps, outputs], sources)
        .and_then(|planes| to.see_as(&planes, &[n, c * taps, outputs, h, w]))
}

fn not_zero(kernel: usize, stride: usize, dilation: usize) -> Result<()> {
    match [kernel, stride, dilation].contains(&0) {
        true => {
            Err(Error::argument(format!("kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1")))
        }
        false => Ok(()),
    }
}

/// `[n, c, d, h w]`, with zeros in front and behind, to `[n, c, taps outputs, h w]`: the slices that are listed.
fn gathered<A: Assemble>(
    to: &mut A,
    x: &A::Value,
    planes: &[usize; 4],
    [front, back]: [usize; 2],
    [taps, outputs]: [usize; 2],
    sources: impl Iterator<Item = i32>,
) -> Result<A::Value> {
    let &[n, c, _, pixels] = planes;
    let shape = [n, c, taps.saturating_mul(outputs), pixels];
    if checked_numel(&shape).is_none() {
        return Err(Error::unsupported(format!("the taps of a convolution, {shape:?}, have 2^31 elements or more")));
    }
    memory::afford(4 * shape[2] as u64, || format!("{} taps of a convolution", shape[2]))?;
    let mut planes = to.see_as(x, planes)?;
    if [front, back] != [0, 0] {
        let pads = vec![[0, 0], [0, 0], [front as i64, back as i64], [0, 0]];
        planes = to.add_op(Pad { pads, mode: PadMode::Constant(0.0) }, &[&planes])?;
    }
    let sources = to.fixed("taps", Tensor::new([shape[2]], sources.collect::<Vec<_>>())?)?;
    to.add_op(Gather { axis: 2 }, &[&planes, &sources])
}

/// `[n, c, d, h, w]` to `[n, c kd, od, h, w]`: channel `c kd + k` is what tap k along the depth sees of channel c.
fn depth_taps<A: Assemble>(to: &mut A, x: &A::Value, window: &Window<3>) -> Result<A::Value> {
    let &[n, c, d, h, w] = &to.extents(x)?[..] else { unreachable!("it is a volume") };
    let Window { kernel: [taps, ..], stride: [stride, ..], padding: [[front, back], ..], dilation: [dilation, ..] } =
        *window;
    not_zero(taps, stride, dilation)?;
    let (whole, seen) = (d.saturating_add(front).saturating_add(back), span(taps, dilation));
    let Some(rest) = whole.checked_sub(seen) else {
        return Err(Error::shape(format!(
            "a kernel of depth {taps} (dilation {dilation}) exceeds the padded depth {whole}"
        )));
    };
    let outputs = rest / stride + 1;
    if whole > i32::MAX as usize {
        return Err(Error::unsupported(format!(
            "a convolution of a padded depth of {whole}: it has 2^31 slices or more"
        )));
    }
    let sources = (0..taps).flat_map(|k| (0..outputs).map(move |o| (o * stride + k * dilation) as i32));
    gathered(to, x, &[n, c, d, h.saturating_mul(w)], [front, back], [taps, outputs], sources)
        .and_then(|planes| to.see_as(&planes, &[n, c * taps, outputs, h, w]))
}

/// A convolution of volumes that leaves an axis alone.
struct Filters<'v, V> {
    groups: usize,
    window: Window<3>,
    bias: Option<&'v V>,
    /// What is added at the end of the result of a transposed convolution.
    transposed: Option<[usize; 3]>,
}

impl<V> Filters<'_, V> {
    /// Whether it leaves the axis alone.
    fn is_idle(&self, axis: usize) -> bool {
        self.window.is_idle(axis) && self.transposed.is_none_or(|extra| extra[axis] == 0)
    }

    /// The result, if it leaves an axis alone.
    fn leaving_one_alone<A: Assemble<Value = V>>(&self, to: &mut A, x: &V, w: &V) -> Result<Option<V>> {
        let y = match [0, 1, 2].map(|axis| self.is_idle(axis)) {
            [_, true, true] => self.over_views(to, x, w, 0),
            [true, true, _] => self.over_views(to, x, w, 2),
            [true, ..] => self.over_slices(to, x, w, 0),
            [_, true, _] => self.over_slices(to, x, w, 1),
            [.., true] => self.over_slices(to, x, w, 2),
            _ => return Ok(None),
        };
        y.map(Some)
    }

    /// Of images whose axes are these of the volume.
    fn images<A: Assemble<Value = V>>(&self, to: &mut A, axes: [Option<usize>; 2], x: &V, w: &V) -> Result<V> {
        let &[first, second, ..] = &to.extents(w)?[..] else { unreachable!("it is a weight") };
        let Window { kernel, stride, padding, dilation } = self.window.along(axes);
        let w = to.see_as(w, &[first, second, kernel[0], kernel[1]])?;
        let inputs: Vec<_> = [x, &w].into_iter().chain(self.bias).collect();
        let groups = self.groups;
        let Some(extra) = self.transposed else {
            return to.add_op(Conv2d { stride, padding, dilation, groups }, &inputs);
        };
        let output_padding = axes.map(|axis| axis.map_or(0, |axis| extra[axis]));
        to.add_op(ConvTranspose2d { stride, padding, output_padding, dilation, groups }, &inputs)
    }

    /// Along the first or the last axis alone.
    fn over_views<A: Assemble<Value = V>>(&self, to: &mut A, x: &V, w: &V, axis: usize) -> Result<V> {
        let &[n, c, d, h, width] = &to.extents(x)?[..] else { unreachable!("it is a volume") };
        let (shape, axes) = match axis {
            0 => ([n, c, d, h.saturating_mul(width)], [Some(0), None]),
            _ => ([n, c, d.saturating_mul(h), width], [None, Some(2)]),
        };
        let x = to.see_as(x, &shape)?;
        let y = self.images(to, axes, &x, w)?;
        let &[n, c, rows, columns] = &to.extents(&y)?[..] else { unreachable!("it is an image") };
        to.see_as(&y, &if axis == 0 { [n, c, rows, h, width] } else { [n, c, d, h, columns] })
    }

    /// An image for each entry of the axis that it leaves alone.
    fn over_slices<A: Assemble<Value = V>>(&self, to: &mut A, x: &V, w: &V, axis: usize) -> Result<V> {
        let rest = [[1, 2], [0, 2], [0, 1]][axis];
        let x = to.reorder(x, &[0, 2 + axis, 1, 2 + rest[0], 2 + rest[1]])?;
        let &[n, slices, c, rows, columns] = &to.extents(&x)?[..] else { unreachable!("it is a volume") };
        let x = to.see_as(&x, &[n.saturating_mul(slices), c, rows, columns])?;
        let y = self.images(to, rest.map(Some), &x, w)?;
        let &[_, c, rows, columns] = &to.extents(&y)?[..] else { unreachable!("it is an image") };
        let y = to.see_as(&y, &[n, slices, c, rows, columns])?;
        to.reorder(&y, [&[0, 2, 1, 3, 4], &[0, 2, 3, 1, 4], &[0, 2, 3, 4, 1]][axis])
    }
}

/// The maximum of every window of a volume.
pub(crate) fn max_pool<A: Assemble>(to: &mut A, x: &A::Value, window: Window<3>, ceil_mode: bool) -> Result<A::Value> {
    pool(to, x, window, |window, _| MaxPool2d { window, ceil_mode, indices: Indices::None })
}

/// The norm of order p of every window of a volume: that along the depth of those of slices.
pub(crate) fn lp_pool<A: Assemble>(
    to: &mut A,
    x: &A::Value,
    window: Window<3>,
    ceil_mode: bool,
    p: u32,
) -> Result<A::Value> {
    pool(to, x, window, |window, _| LpPool2d { window, ceil_mode, p, signed: false, rescale: false })
}

/// How means of volumes count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    pub ceil_mode: bool,
    pub count_include_pad: bool,
    pub divisor_override: Option<usize>,
}

/// The mean of every window of a volume: the mean along the depth of the means of slices. Every slice of a window counts the same
/// number of elements, so the mean of means is right. With `divisor_override` the steps add, and the last one divides.
pub(crate) fn avg_pool<A: Assemble>(to: &mut A, x: &A::Value, window: Window<3>, mean: Mean) -> Result<A::Value> {
    let Mean { ceil_mode, count_include_pad, divisor_override } = mean;
    pool(to, x, window, |window, is_last| {
        let divisor_override = divisor_override.map(|divisor| if is_last { divisor } else { 1 });
        AvgPool2d { window, ceil_mode, count_include_pad, divisor_override }
    })
}

/// What every part of a volume is reduced to: parts of slices, then of the depth. The slices of a part have as many pixels each, so
/// that the mean of means is right.
pub(crate) fn adaptive_pool<A: Assemble>(
    to: &mut A,
    x: &A::Value,
    [od, oh, ow]: [usize; 3],
    kind: PoolKind,
) -> Result<A::Value> {
    let &[n, c, d, h, w] = &to.extents(x)?[..] else {
        return Err(Error::shape(format!("a pooling of volumes takes [n, c, d, h, w], not {:?}", to.extents(x)?)));
    };
    let slices = to.see_as(x, &[n, c.saturating_mul(d), h, w])?;
    let y = to.add_op(AdaptivePool2d { output: [oh, ow], kind }, &[&slices])?;
    let pixels = oh.saturating_mul(ow);
    let columns = to.see_as(&y, &[n, c, d, pixels])?;
    let y = to.add_op(AdaptivePool2d { output: [od, pixels], kind }, &[&columns])?;
    to.see_as(&y, &[n, c, od, oh, ow])
}

/// A pooling of slices, then one along the depth; one that would change nothing is left out. `op` is told whether it is the last.
fn pool<A: Assemble, O: Op + 'static>(
    to: &mut A,
    x: &A::Value,
    window: Window<3>,
    op: impl Fn(Window, bool) -> O,
) -> Result<A::Value> {
    let &[n, c, d, h, w] = &to.extents(x)?[..] else {
        return Err(Error::shape(format!("a pooling of volumes takes [n, c, d, h, w], not {:?}", to.extents(x)?)));
    };
    let is_flat = window.is_idle(0);
    let (mut y, mut size) = (x.clone(), [h, w]);
    if is_flat || !window.is_idle(1) || !window.is_idle(2) {
        let planes = to.see_as(x, &[n, c.saturating_mul(d), h, w])?;
        y = to.add_op(op(window.along([Some(1), Some(2)]), is_flat), &[&planes])?;
        let shape = to.extents(&y)?;
        size = [shape[2], shape[3]];
    }
    let [h, w] = size;
    if !is_flat {
        let columns = to.see_as(&y, &[n, c, d, h.saturating_mul(w)])?;
        y = to.add_op(op(window.along([Some(0), None]), true), &[&columns])?;
    }
    let depth = if is_flat { d } else { to.extents(&y)?[2] };
    to.see_as(&y, &[n, c, depth, h, w])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::shape::Desc;

    /// The operators that are no views, in order, of a convolution of `[2, 3, 5, 6, 7]` by this kernel.
    fn operators(kernel: [usize; 3], stride: [usize; 3], padding: [usize; 3]) -> Vec<&'static str> {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([2, 3, 5, 6, 7])).unwrap();
        let w = graph.constant("w", Tensor::zeros([&[4, 3], &kernel[..]].concat())).unwrap();
        let conv = Conv3d { stride, padding: padding.map(|n| [n; 2]), dilation: [1; 3], groups: 1 };
        conv.apply(&mut graph, &x, &w, None).unwrap();
        graph.nodes.iter().filter(|node| !node.op.is_view()).map(|node| node.op.name()).collect()
    }

    /// The same of a transposed one.
    fn transposed(kernel: [usize; 3], stride: [usize; 3], output_padding: [usize; 3]) -> Vec<&'static str> {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([2, 3, 5, 6, 7])).unwrap();
        let w = graph.constant("w", Tensor::zeros([&[3, 4], &kernel[..]].concat())).unwrap();
        let conv = ConvTranspose3d { stride, padding: [[0; 2]; 3], output_padding, dilation: [1; 3], groups: 1 };
        conv.apply(&mut graph, &x, &w, None).unwrap();
        graph.nodes.iter().filter(|node| !node.op.is_view()).map(|node| node.op.name()).collect()
    }

    #[test]
    fn a_transposed_convolution_copies_no_more_than_its_kernel_asks_for() {
        let (one, none) = ([1; 3], [0; 3]);
        assert_eq!(transposed(one, one, none), ["conv_transpose2d"]);
        assert_eq!(transposed([3, 1, 1], [2, 1, 1], [1, 0, 0]), ["conv_transpose2d"]);
        assert_eq!(transposed([1, 1, 3], [1, 1, 2], none), ["conv_transpose2d"]);
        let slices = ["permute", "conv_transpose2d", "permute"];
        assert_eq!(transposed([1, 2, 2], [1, 2, 2], none), slices);
        assert_eq!(transposed([2, 1, 2], [2, 1, 2], none), slices);
        assert_eq!(transposed([2, 2, 1], [2, 2, 1], none), slices);
        let deep = ["pad", "gather", "permute", "permute", "conv_transpose2d", "permute"];
        assert_eq!(transposed([2, 2, 2], [2, 2, 2], none), deep);
        // What is added at the end is not left alone.
        let slices_of_taps = ["pad", "gather", "permute", "conv_transpose2d", "permute"];
        assert_eq!(transposed([1, 2, 2], [1, 2, 2], [1, 0, 0]), slices_of_taps);
    }

    #[test]
    fn a_convolution_copies_no_more_than_its_kernel_asks_for() {
        let (one, none) = ([1; 3], [0; 3]);
        assert_eq!(operators([1, 1, 1], one, none), ["conv2d"]);
        assert_eq!(operators([3, 1, 1], [2, 1, 1], [1, 0, 0]), ["conv2d"]);
        assert_eq!(operators([1, 1, 3], [1, 1, 2], [0, 0, 1]), ["conv2d"]);
        let slices = ["permute", "conv2d", "permute"];
        assert_eq!(operators([1, 3, 3], one, [0, 1, 1]), slices);
        assert_eq!(operators([3, 1, 3], [2, 1, 1], [1, 0, 1]), slices);
        assert_eq!(operators([3, 3, 1], one, [1, 1, 0]), slices);
        assert_eq!(operators([1, 3, 1], one, none), slices);
        assert_eq!(operators([3, 3, 3], one, none), ["gather", "permute", "conv2d", "permute"]);
        assert_eq!(operators([3, 3, 3], one, [1; 3]), ["pad", "gather", "permute", "conv2d", "permute"]);
        // A stride or a border is a window, too.
        assert_eq!(operators([1, 1, 1], [2, 2, 2], none)[0], "gather");
    }
}

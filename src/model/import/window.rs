//! What convolution and pooling share: kernel, strides, dilations and pads of a node, and images of one axis seen as
//! images of two.

use super::{Import, NodeView, Val};
use crate::attr::{Pads, Window, span};
use crate::error::{Error, Result};

/// Attributes from which [`Sliding::of`] is read.
pub(super) const STRIDES: &str = "strides";

/// A window as a node gives it: negative pads crop.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub padding: Pads<i64>,
}

/// How the total padding is divided, if the pads follow from the input's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum AutoPad {
    NotSet,
    Valid,
    SameUpper,
    SameLower,
}

impl AutoPad {
    pub fn of(node: &NodeView) -> Result<AutoPad> {
        Ok(match node.string("auto_pad", "NOTSET")? {
            "" | "NOTSET" => AutoPad::NotSet,
            "VALID" => AutoPad::Valid,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            other => return Err(Error::unsupported(format!("auto_pad = {other}"))),
        })
    }

    /// Divides a total into begin and end.
    pub fn halves(self, total: i64) -> [i64; 2] {
        let half = total / 2;
        if self == AutoPad::SameLower { [total - half, half] } else { [half, total - half] }
    }
}

impl Sliding {
    /// The node's window over an image of `x`'s shape `[n, c, spatial..]`. `kernel` is the weight's, where there is one.
    ///
    /// # Errors
    /// Three or more spatial axes (unsupported), lists of the wrong length, a zero stride.
    pub fn of(node: &NodeView, x: &[usize], kernel: Option<&[usize]>) -> Result<Sliding> {
        let spatial = spatial(node, x)?;
        let given = node.counts("kernel_shape")?;
        let kernel = match (given, kernel) {
            (Some(given), Some(kernel)) if given != kernel => {
                return Err(Error::shape(format!("kernel_shape {given:?} is not the weight's {kernel:?}")));
            }
            (_, Some(kernel)) => kernel.to_vec(),
            (Some(given), None) => given,
            (None, None) => return Err(Error::file("the attribute kernel_shape is missing")),
        };
        let kernel = pair("kernel_shape", spatial, &kernel)?;
        let stride = pair("strides", spatial, &node.counts(STRIDES)?.unwrap_or(vec![1; spatial.len()]))?;
        let dilation = pair("dilations", spatial, &node.counts("dilations")?.unwrap_or(vec![1; spatial.len()]))?;
        if [kernel, stride, dilation].as_flattened().contains(&0) {
            return Err(Error::argument("kernel_shape, strides and dilations must be at least 1"));
        }
        let mut window = Sliding { kernel, stride, dilation, padding: [[0; 2]; 2] };
        window.padding = match AutoPad::of(node)? {
            AutoPad::NotSet => pads(node, spatial.len())?,
            AutoPad::Valid => [[0; 2]; 2],
            auto => window.same(auto, pair("spatial", spatial, spatial)?),
        };
        Ok(window)
    }

    /// Pads that make the output `ceil(input / stride)` long.
    fn same(&self, auto: AutoPad, input: [usize; 2]) -> Pads<i64> {
        let along = |k: usize| {
            let last = input[k].div_ceil(self.stride[k]).saturating_sub(1).saturating_mul(self.stride[k]);
            let needed = last.saturating_add(self.span(k));
            auto.halves(needed.saturating_sub(input[k]).min(i64::MAX as usize) as i64)
        };
        [along(0), along(1)]
    }

    /// The extent of the image that one window spans.
    pub fn span(&self, axis: usize) -> usize {
        span(self.kernel[axis], self.dilation[axis])
    }

    /// The window without crops, and what to crop from the image first.
    pub fn split(&self) -> (Window, Pads<i64>) {
        let Sliding { kernel, stride, dilation, padding } = *self;
        let added = padding.map(|axis| axis.map(|p| p.max(0) as usize));
        (Window { kernel, stride, padding: added, dilation }, padding.map(|axis| axis.map(|p| p.min(0))))
    }

    /// The window for operators that do not support crops.
    pub fn uncropped(&self) -> Result<Window> {
        match self.split() {
            (window, [[0, 0], [0, 0]]) => Ok(window),
            _ => Err(Error::unsupported(format!("negative pads {:?}", self.padding))),
        }
    }
}

/// A pooling window over an image of any number of axes, reduced to two: axes on which the window has extent 1 are
/// merged with the channels or with each other. PyTorch exports local response norm as such a window over channels.
pub(super) struct Pooling {
    pub window: Sliding,
    /// The input as `[n, c, h, w]`.
    image: Vec<usize>,
    /// The image axis for each spatial axis that is pooled.
    axes: Vec<Option<usize>>,
}

impl Pooling {
    /// # Errors
    /// As for [`Sliding::of`]; the window covers more than two axes, or two that are not adjacent.
    pub fn of(node: &NodeView, x: &[usize]) -> Result<Pooling> {
        if x.len() <= 4 {
            let window = Sliding::of(node, x, None)?;
            return Ok(match *x {
                [n, c, l] => Pooling { window, image: vec![n, c, 1, l], axes: vec![Some(3)] },
                _ => Pooling { window, image: x.to_vec(), axes: vec![Some(2), Some(3)] },
            });
        }
        let spatial = &x[2..];
        let count = spatial.len();
        let list = |name: &str| Ok::<_, Error>(node.counts(name)?.unwrap_or(vec![1; count]));
        let [kernel, stride, dilation] = [list("kernel_shape")?, list(STRIDES)?, list("dilations")?];
        let pads = node.ints("pads")?.unwrap_or(vec![0; 2 * count]);
        if [&kernel, &stride, &dilation].iter().any(|l| l.len() != count || l.contains(&0)) || pads.len() != 2 * count {
            return Err(Error::shape(format!("the window of {} does not fit {x:?}", node.op())));
        }
        let explicit = [AutoPad::NotSet, AutoPad::Valid].contains(&AutoPad::of(node)?);
        let idle = |&k: &usize| explicit && [kernel[k], stride[k]] == [1, 1] && [pads[k], pads[count + k]] == [0, 0];
        let first = (0..count).take_while(idle).count().min(count - 1);
        let channels = spatial[..first].iter().product::<usize>() * x[1];
        // Extents, and the spatial axis if it is pooled.
        let mut planes: Vec<(usize, Option<usize>)> = vec![];
        for (k, &n) in spatial.iter().enumerate().skip(first) {
            match planes.last_mut() {
                Some((extent, None)) if idle(&k) => *extent *= n,
                _ => planes.push((n, Some(k).filter(|k| !idle(k)))),
            }
        }
        if planes.len() == 1 {
            planes.insert(0, (1, None));
        }
        let &[(h, row), (w, column)] = &planes[..] else { return Err(too_many(node, x)) };
        let mut window = Sliding { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], padding: [[0; 2]; 2] };
        let mut axes = vec![None; count];
        for (i, k) in [row, column].into_iter().enumerate().filter_map(|(i, k)| Some((i, k?))) {
            (window.kernel[i], window.stride[i], window.dilation[i]) = (kernel[k], stride[k], dilation[k]);
            window.padding[i] = [pads[k], pads[count + k]];
            axes[k] = Some(2 + i);
        }
        Ok(Pooling { window, image: vec![x[0], channels, h, w], axes })
    }

    /// `x` as an image of two axes.
    pub fn image(&self, import: &mut Import, x: &Val) -> Result<Val> {
        import.reshape(x, &self.image)
    }

    /// The result for the image, with the axes of `x`.
    pub fn back(&self, import: &mut Import, y: &Val, x: &Val) -> Result<Val> {
        let pooled = |(axis, &n): (&Option<usize>, &usize)| axis.map_or(n, |axis| y.shape()[axis]);
        let spatial: Vec<usize> = self.axes.iter().zip(&x.shape()[2..]).map(pooled).collect();
        import.reshape(y, &[&x.shape()[..2], &spatial].concat())
    }
}

fn too_many(node: &NodeView, x: &[usize]) -> Error {
    Error::unsupported(format!("{}-D {} (1-D and 2-D are supported)", x.len() - 2, node.op()))
}

/// The extents after `[n, c]`: one or two.
pub(super) fn spatial<'s>(node: &NodeView, x: &'s [usize]) -> Result<&'s [usize]> {
    match x.len() {
        3 | 4 => Ok(&x[2..]),
        0..=2 => Err(Error::shape(format!("{} of {x:?}: the input must be [n, c] with spatial axes", node.op()))),
        _ => Err(too_many(node, x)),
    }
}

/// The pads; ONNX lists all begins, then all ends.
pub(super) fn pads(node: &NodeView, axes: usize) -> Result<Pads<i64>> {
    let pads = node.ints("pads")?.unwrap_or(vec![0; 2 * axes]);
    match (axes, &pads[..]) {
        (1, &[left, right]) => Ok([[0, 0], [left, right]]),
        (2, &[top, left, bottom, right]) => Ok([[top, bottom], [left, right]]),
        _ => Err(Error::shape(format!("pads {pads:?} do not fit {axes} spatial axes"))),
    }
}

/// A value for each of two axes; an image of one axis is one row.
pub(super) fn pair(what: &str, spatial: &[usize], list: &[usize]) -> Result<[usize; 2]> {
    match (spatial.len(), list) {
        (1, &[a]) => Ok([1, a]),
        (2, &[a, b]) => Ok([a, b]),
        _ => Err(Error::shape(format!("{what} {list:?} does not fit {} spatial axes", spatial.len()))),
    }
}

impl Import<'_> {
    /// `[n, c, l]` as `[n, c, 1, l]`.
    pub fn as_image(&mut self, x: &Val) -> Result<Val> {
        match *x.shape() {
            [n, c, l] => self.reshape(x, &[n, c, 1, l]),
            _ => Ok(x.clone()),
        }
    }

    /// Undoes [`Import::as_image`] on a result for an image of this rank.
    pub fn as_rank(&mut self, y: &Val, rank: usize) -> Result<Val> {
        match (rank, y.shape()) {
            (3, &[n, c, 1, l]) => self.reshape(y, &[n, c, l]),
            _ => Ok(y.clone()),
        }
    }
}

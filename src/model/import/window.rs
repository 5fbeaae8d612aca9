//! What convolution and pooling share: kernel, strides, dilations and pads of a node, and images of one axis seen as
//! images of two.

use super::{Import, NodeView, Val};
use crate::attr::{Pads, Window, span};
use crate::error::{Error, Result};

/// Attributes from which [`Sliding::of`] is read.
pub(super) const STRIDES: &str = "strides";

/// How a window moves along one axis, as a node gives it: negative pads crop.
#[derive(Clone, Copy, Debug)]
struct Along {
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: [i64; 2],
}

/// How it does not move.
const IDLE: Along = Along { kernel: 1, stride: 1, dilation: 1, padding: [0, 0] };

/// A window as a node gives it: negative pads crop.
#[derive(Clone, Debug)]
pub(super) struct Sliding<const AXES: usize = 2> {
    pub kernel: [usize; AXES],
    pub stride: [usize; AXES],
    pub dilation: [usize; AXES],
    pub padding: Pads<i64, AXES>,
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

impl Along {
    /// Along each of these axes. `kernel` is the weight's, where there is one.
    fn all(node: &NodeView, spatial: &[usize], kernel: Option<&[usize]>) -> Result<Vec<Along>> {
        let count = spatial.len();
        let given = node.counts("kernel_shape")?;
        let kernel = match (given, kernel) {
            (Some(given), Some(kernel)) if given != kernel => {
                return Err(Error::shape(format!("kernel_shape {given:?} is not the weight's {kernel:?}")));
            }
            (_, Some(kernel)) => kernel.to_vec(),
            (Some(given), None) => given,
            (None, None) => return Err(Error::file("the attribute kernel_shape is missing")),
        };
        let stride = node.counts(STRIDES)?.unwrap_or(vec![1; count]);
        let dilation = node.counts("dilations")?.unwrap_or(vec![1; count]);
        for (what, list) in [("kernel_shape", &kernel), (STRIDES, &stride), ("dilations", &dilation)] {
            if list.len() != count {
                return Err(Error::shape(format!("{what} {list:?} does not fit {count} spatial axes")));
            }
            if list.contains(&0) {
                return Err(Error::argument("kernel_shape, strides and dilations must be at least 1"));
            }
        }
        let pads = node.ints("pads")?.unwrap_or(vec![0; 2 * count]);
        let auto = AutoPad::of(node)?;
        if auto == AutoPad::NotSet && pads.len() != 2 * count {
            return Err(Error::shape(format!("pads {pads:?} do not fit {count} spatial axes")));
        }
        let along = |k: usize| {
            let along = Along { kernel: kernel[k], stride: stride[k], dilation: dilation[k], ..IDLE };
            let padding = match auto {
                // ONNX lists all begins, then all ends.
                AutoPad::NotSet => [pads[k], pads[count + k]],
                AutoPad::Valid => [0, 0],
                auto => along.same(auto, spatial[k]),
            };
            Along { padding, ..along }
        };
        Ok((0..count).map(along).collect())
    }

    /// Pads that make the output `ceil(input / stride)` long.
    fn same(&self, auto: AutoPad, input: usize) -> [i64; 2] {
        let last = input.div_ceil(self.stride).saturating_sub(1).saturating_mul(self.stride);
        let needed = last.saturating_add(span(self.kernel, self.dilation));
        auto.halves(needed.saturating_sub(input).min(i64::MAX as usize) as i64)
    }

    fn is_idle(&self) -> bool {
        [self.kernel, self.stride] == [1, 1] && self.padding == [0, 0]
    }
}

impl<const AXES: usize> Sliding<AXES> {
    /// The node's window over an image of `x`'s shape `[n, c, spatial..]`. `kernel` is the weight's, where there is one. It
    /// does not move along the first axes if the image has fewer.
    ///
    /// # Errors
    /// More spatial axes than the window has (unsupported), lists of the wrong length, a zero stride.
    pub fn of(node: &NodeView, x: &[usize], kernel: Option<&[usize]>) -> Result<Sliding<AXES>> {
        Ok(Sliding::over(&Along::all(node, spatial(node, x, AXES)?, kernel)?))
    }

    /// The last axes move like this.
    fn over(axes: &[Along]) -> Sliding<AXES> {
        let mut all = [IDLE; AXES];
        all[AXES - axes.len()..].copy_from_slice(axes);
        Sliding {
            kernel: all.map(|along| along.kernel),
            stride: all.map(|along| along.stride),
            dilation: all.map(|along| along.dilation),
            padding: all.map(|along| along.padding),
        }
    }

    /// The window without crops, and what to crop from the image first.
    pub fn split(&self) -> (Window<AXES>, Pads<i64, AXES>) {
        let Sliding { kernel, stride, dilation, padding } = *self;
        let added = padding.map(|axis| axis.map(|p| p.max(0) as usize));
        (Window { kernel, stride, padding: added, dilation }, padding.map(|axis| axis.map(|p| p.min(0))))
    }

    /// The window for operators that do not support crops.
    fn uncropped(&self) -> Result<Window<AXES>> {
        match self.split() {
            (window, crop) if crop == [[0; 2]; AXES] => Ok(window),
            _ => Err(Error::unsupported(format!("negative pads {:?}", self.padding))),
        }
    }
}

/// A pooling window over an image of any number of axes, reduced to two or three: axes along which it does not move are
/// merged with the channels or with each other. PyTorch exports local response norm as such a window over channels.
pub(super) struct Pooling {
    window: Sliding<3>,
    /// The input as `[n, c, h, w]`, or if it is a volume as `[n, c, d, h, w]`.
    image: Vec<usize>,
    /// The image axis for each spatial axis that is pooled.
    axes: Vec<Option<usize>>,
}

/// What a pooling window moves over.
pub(super) enum Pooled {
    Image(Window),
    Volume(Window<3>),
}

impl Pooling {
    /// # Errors
    /// As for [`Sliding::of`]; the window covers more than three axes that cannot be merged.
    pub fn of(node: &NodeView, x: &[usize]) -> Result<Pooling> {
        if x.len() <= 4 {
            let window = Sliding::of(node, x, None)?;
            return Ok(match *x {
                [n, c, l] => Pooling { window, image: vec![n, c, 1, l], axes: vec![Some(3)] },
                _ => Pooling { window, image: x.to_vec(), axes: vec![Some(2), Some(3)] },
            });
        }
        let spatial = &x[2..];
        let moves = Along::all(node, spatial, None)?;
        let count = spatial.len();
        let first = moves.iter().take_while(|along| along.is_idle()).count().min(count - 1);
        let channels = spatial[..first].iter().product::<usize>() * x[1];
        // Extents, and the spatial axis if it is pooled.
        let mut planes: Vec<(usize, Option<usize>)> = vec![];
        for (k, &n) in spatial.iter().enumerate().skip(first) {
            match planes.last_mut() {
                Some((extent, None)) if moves[k].is_idle() => *extent *= n,
                _ => planes.push((n, Some(k).filter(|&k| !moves[k].is_idle()))),
            }
        }
        if planes.len() == 1 {
            planes.insert(0, (1, None));
        }
        if planes.len() > 3 {
            return Err(too_many(node, x, 3));
        }
        let mut axes = vec![None; count];
        for (i, (_, k)) in planes.iter().enumerate() {
            k.iter().for_each(|&k| axes[k] = Some(2 + i));
        }
        let of_planes: Vec<_> = planes.iter().map(|(_, k)| k.map_or(IDLE, |k| moves[k])).collect();
        let extents = planes.into_iter().map(|(extent, _)| extent);
        let image = [x[0], channels].into_iter().chain(extents).collect();
        Ok(Pooling { window: Sliding::over(&of_planes), image, axes })
    }

    /// How it moves over [`Pooling::image`].
    ///
    /// # Errors
    /// It crops.
    pub fn window(&self) -> Result<Pooled> {
        let window = self.window.uncropped()?;
        let is_image = self.image.len() == 4;
        Ok(if is_image { Pooled::Image(window.along([Some(1), Some(2)])) } else { Pooled::Volume(window) })
    }

    /// `x` as an image of two axes or three.
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

fn too_many(node: &NodeView, x: &[usize], most: usize) -> Error {
    let known = if most == 2 { "1-D and 2-D" } else { "1-D to 3-D" };
    Error::unsupported(format!("{}-D {} ({known} are supported)", x.len() - 2, node.op()))
}

/// The extents after `[n, c]`: one, up to `most`.
pub(super) fn spatial<'s>(node: &NodeView, x: &'s [usize], most: usize) -> Result<&'s [usize]> {
    match x.len() {
        0..=2 => Err(Error::shape(format!("{} of {x:?}: the input must be [n, c] with spatial axes", node.op()))),
        rank if rank - 2 > most => Err(too_many(node, x, most)),
        _ => Ok(&x[2..]),
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

//! Padding and cropping, as `torch.nn.functional.pad`.

use crate::attr::PadMode;
use crate::parallel;
use crate::shape::{numel, strides};
use crate::tensor::{Data, Elements, Tensor, convert, for_each_type};

impl PadMode {
    /// The element of an axis of `extent` at position `i` of the padded axis, where the axis itself begins at 0; `None`
    /// is the constant. What a negative pad crops at one end does not come back at the other, as in PyTorch.
    pub fn source(self, i: i64, extent: usize, [before, after]: [i64; 2]) -> Option<usize> {
        let e = extent as i64;
        let first = before.min(0).abs();
        let at = match self {
            PadMode::Constant(_) => return (0..e).contains(&i).then_some(i as usize),
            PadMode::Reflect if i < 0 => -i,
            PadMode::Reflect if i >= e => 2 * (e - 1) - i,
            PadMode::Reflect => i,
            PadMode::Replicate => i.clamp(0, e - 1),
            PadMode::Circular => first + (i - first).rem_euclid(e - first + after.min(0)),
        };
        Some(at as usize)
    }
}

/// `x` with `pads` (before, after) around every axis, negative ones crop; `shape` is that of the result, `fill` the constant.
pub fn pad(x: &Tensor, pads: &[[i64; 2]], shape: &[usize], mode: PadMode, fill: f64) -> Tensor {
    fn take<T: Elements>(
        x: &[T],
        shape: &[usize],
        fill: f64,
        at: impl Fn(usize, usize) -> Option<usize> + Sync,
    ) -> Data {
        let mut out = vec![convert(fill); numel(shape)];
        let last = shape.len() - 1;
        parallel::chunks(&mut out, shape[last], |row, out| {
            let axes = shape[..last].iter().enumerate().rev();
            let start = axes.scan(row, |row, (axis, n)| Some(at(axis, std::mem::replace(row, *row / n) % n)));
            let Some(start) = start.sum::<Option<usize>>() else { return };
            for (k, out) in out.iter_mut().enumerate() {
                if let Some(at) = at(last, k) {
                    *out = x[start + at];
                }
            }
        });
        T::wrap(out)
    }
    if shape.is_empty() {
        return x.clone();
    }
    let own = strides(x.shape());
    // How far an index along an axis leads into `x`.
    let at =
        |axis: usize, k: usize| Some(mode.source(k as i64 - pads[axis][0], x.shape()[axis], pads[axis])? * own[axis]);
    Tensor::of(shape, for_each_type!(x.data(), v => take(v, shape, fill, at)))
}

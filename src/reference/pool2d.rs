//! Pooling with a moving window, as `torch.nn.functional.max_pool2d`, `avg_pool2d` and `lp_pool2d`, and ONNX's `LpPool`.
//!
//! Images are `[planes, ih, iw]`, a plane being one channel of one image; results are row-major `[planes, oh, ow]`.

use crate::attr::Window;
use crate::parallel;

impl Window {
    /// The number of windows along an axis; with `ceil_mode` one more may exceed the padded image if it starts inside
    /// the image or the padding before it. `None` if none fits. The rule is PyTorch's `pooling_output_shape`.
    pub fn pool_outputs(&self, axis: usize, extent: usize, ceil_mode: bool) -> Option<usize> {
        if !ceil_mode {
            return self.outputs(axis, extent);
        }
        let ([before, after], stride) = (self.padding[axis], self.stride[axis]);
        let count = (extent + before + after + stride - 1).checked_sub(self.span(axis))? / stride + 1;
        Some(if (count - 1) * stride >= extent + before { count - 1 } else { count })
    }

    /// The number of taps of output `o` before `limit`, a position in the padded image.
    fn taps_before(&self, axis: usize, o: usize, limit: usize) -> usize {
        limit.saturating_sub(o * self.stride[axis]).div_ceil(self.dilation[axis]).min(self.kernel[axis])
    }

    /// The number of taps of output `o` inside the image.
    fn taps_inside(&self, axis: usize, o: usize, extent: usize) -> usize {
        let before = self.padding[axis][0];
        self.taps_before(axis, o, before + extent) - self.taps_before(axis, o, before)
    }

    /// The number of taps of output `o` inside the image or its padding: fewer than the kernel has in a window that
    /// `ceil_mode` added.
    fn taps_padded(&self, axis: usize, o: usize, extent: usize) -> usize {
        let [before, after] = self.padding[axis];
        self.taps_before(axis, o, before + extent + after)
    }
}

/// Calls `fold` with the output (plane, oy, ox) and the taps (iy, ix, value) of its window, row by row.
fn windows<T: Clone + Default + Send>(
    (x, [planes, ih, iw]): (&[f32], [usize; 3]),
    window: &Window,
    [oh, ow]: [usize; 2],
    fold: impl Fn([usize; 2], &mut dyn Iterator<Item = (usize, usize, f32)>) -> T + Sync,
) -> Vec<T> {
    let [kh, kw] = window.kernel;
    let one = |i: usize| {
        let (plane, oy, ox) = (i / (oh * ow), i / ow % oh, i % ow);
        let rows = (0..kh).filter_map(|ky| window.source(0, oy, ky, ih));
        let mut taps = rows.flat_map(|iy| {
            let columns = (0..kw).filter_map(|kx| window.source(1, ox, kx, iw));
            columns.map(move |ix| (iy, ix, x[(plane * ih + iy) * iw + ix]))
        });
        fold([oy, ox], &mut taps)
    };
    parallel::collect(planes * oh * ow, one)
}

/// The largest value of every window and its position (iy, ix): the first of equal values, or the last NaN if there is
/// one, as in PyTorch. A window without a tap inside the image gives -inf at (0, 0).
pub fn max_pool2d(image: (&[f32], [usize; 3]), window: &Window, outputs: [usize; 2]) -> Vec<(f32, [usize; 2])> {
    windows(image, window, outputs, |_, taps| {
        let (iy, ix, first) = taps.next().unwrap_or((0, 0, f32::NEG_INFINITY));
        taps.fold((first, [iy, ix]), |best, (iy, ix, v)| if v > best.0 || v.is_nan() { (v, [iy, ix]) } else { best })
    })
}

/// The divisor of the sum of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divisor {
    /// The taps inside the image.
    Inside,
    /// The taps inside the image or its padding.
    Padded,
    /// This number.
    Fixed(usize),
}

/// The mean of every window, in f64; 0 where no tap lies inside the image.
pub fn avg_pool2d(image: (&[f32], [usize; 3]), window: &Window, divisor: Divisor, outputs: [usize; 2]) -> Vec<f64> {
    let [_, ih, iw] = image.1;
    windows(image, window, outputs, |[oy, ox], taps| {
        let sum: f64 = taps.map(|(_, _, v)| f64::from(v)).sum();
        let count = match divisor {
            Divisor::Inside => window.taps_inside(0, oy, ih) * window.taps_inside(1, ox, iw),
            Divisor::Padded => window.taps_padded(0, oy, ih) * window.taps_padded(1, ox, iw),
            Divisor::Fixed(n) => n,
        };
        sum / count.max(1) as f64
    })
}

/// The sum of powers for a window's norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Powers {
    /// The power.
    pub p: u32,
    /// Whether it sums x^p, not |x|^p.
    pub signed: bool,
    /// Whether the sum is multiplied by the kernel's taps and divided by those inside the image.
    pub rescale: bool,
}

/// The sum of powers of every window, in f64; 0 where no tap lies inside the image.
pub fn power_sums(image: (&[f32], [usize; 3]), window: &Window, powers: Powers, outputs: [usize; 2]) -> Vec<f64> {
    let ([_, ih, iw], taps) = (image.1, window.kernel[0] * window.kernel[1]);
    windows(image, window, outputs, |[oy, ox], values| {
        let term = |v: f32| if powers.signed { f64::from(v) } else { f64::from(v.abs()) }.powi(powers.p as i32);
        let sum: f64 = values.map(|(_, _, v)| term(v)).sum();
        let inside = window.taps_inside(0, oy, ih) * window.taps_inside(1, ox, iw);
        if powers.rescale { sum * taps as f64 / inside.max(1) as f64 } else { sum }
    })
}

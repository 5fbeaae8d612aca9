//! The image at the taps of windows, each moved by an offset of its own: what a deformable convolution multiplies by its weight.

use crate::attr::Window;
use crate::parallel;

/// Images `[n, c, h, w]`, and how far the taps are moved.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    pub x: &'a [f32],
    pub offset: &'a [f32],
    pub mask: Option<&'a [f32]>,
    pub channels: usize,
    pub size: [usize; 2],
    pub window: &'a Window,
    pub groups: usize,
    /// The places of the window along both axes.
    pub places: [usize; 2],
}

/// A tap of a window of a plane.
#[derive(Clone, Copy, Debug)]
pub struct Tap<'a> {
    pub plane: &'a [f32],
    /// Where it is without an offset.
    pub base: [f64; 2],
    pub offset: [f64; 2],
    pub mask: f64,
}

impl Tap<'_> {
    /// Where it is.
    pub fn place(&self) -> [f64; 2] {
        [self.base[0] + self.offset[0], self.base[1] + self.offset[1]]
    }
}

impl<'a> Moved<'a> {
    /// `f` of every tap, `[n, c, kh, kw, oh, ow]`, or NaN where an offset is.
    pub fn each(&self, f: impl Fn(&Tap<'a>) -> f32 + Sync) -> Vec<f32> {
        let ([h, w], [oh, ow], [kh, kw]) = (self.size, self.places, self.window.kernel);
        let Window { stride, padding, dilation, .. } = self.window;
        let planes = self.x.len() / (h * w);
        parallel::collect(planes * kh * kw * oh * ow, |i| {
            let (place, tap, plane) = (i % (oh * ow), i / (oh * ow) % (kh * kw), i / (oh * ow * kh * kw));
            let group = plane / self.channels * self.groups + plane % self.channels / (self.channels / self.groups);
            let entry = group * kh * kw + tap;
            let of = |axis: usize| f64::from(self.offset[(2 * entry + axis) * oh * ow + place]);
            let base = |axis: usize, o: usize, k: usize| {
                (o * stride[axis] + k * dilation[axis]) as f64 - padding[axis][0] as f64
            };
            let found = Tap {
                plane: &self.x[plane * h * w..][..h * w],
                base: [base(0, place / ow, tap / kw), base(1, place % ow, tap % kw)],
                offset: [of(0), of(1)],
                mask: self.mask.map_or(1.0, |mask| mask[entry * oh * ow + place].into()),
            };
            if found.offset.iter().any(|v| v.is_nan()) { f32::NAN } else { f(&found) }
        })
    }

    /// The pixel between four others at a place, zeros beyond the image, of what `weigh` makes of the pixels.
    pub fn value(&self, tap: &Tap<'_>, weigh: fn(f64) -> f64) -> f64 {
        let [h, w] = self.size;
        let axis = |place: f64, extent: usize| {
            let low = place.floor();
            [(low, 1.0 - (place - low)), (low + 1.0, place - low)].map(|(at, weight)| {
                ((0.0..extent as f64).contains(&at) && weight != 0.0).then_some((at as usize, weight))
            })
        };
        let [y, x] = tap.place();
        let columns = axis(x, w);
        let rows = axis(y, h).into_iter().flatten();
        let terms = rows.flat_map(|(row, wy)| {
            columns.into_iter().flatten().map(move |(column, wx)| wy * wx * weigh(tap.plane[row * w + column].into()))
        });
        terms.sum()
    }
}

/// Every tap in f64, rounded once.
pub fn deform_columns(moved: &Moved<'_>) -> Vec<f32> {
    moved.each(|tap| (tap.mask * moved.value(tap, |v| v)) as f32)
}

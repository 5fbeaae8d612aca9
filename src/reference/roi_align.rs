//! Regions of images, sampled between pixels: torchvision's `roi_align` and ONNX's RoiAlign.

use crate::parallel;

/// Corners beyond this are taken for it: 2^29, as the kernels do.
pub const FAR: f64 = (1u64 << 29) as f64;

/// An axis of the images, and how regions are sampled along it.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Its pixels.
    pub extent: usize,
    /// Bins of a region.
    pub bins: usize,
    /// Pixels per unit of the boxes.
    pub scale: f64,
    /// Samples of a bin; 0 for as many as it has pixels, rounded up.
    pub samples: usize,
    /// Whether the centre of a pixel is at a half.
    pub aligned: bool,
}

/// A region along an axis, in pixels: pixel i is at i.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Where the first bin begins.
    pub start: f64,
    /// The extent of all bins.
    pub size: f64,
    /// Samples of a bin.
    pub count: f64,
}

/// A pixel with its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    pub at: usize,
    pub weight: f64,
}

impl Axis {
    /// A corner in pixels.
    pub fn corner(&self, v: f32) -> f64 {
        (f64::from(v) * self.scale).clamp(-FAR, FAR)
    }

    /// The region between two corners.
    pub fn span(&self, low: f32, high: f32) -> Span {
        let [low, high] = [low, high].map(|v| self.corner(v));
        let (start, size) = match self.aligned {
            true => (low - 0.5, high - low),
            false => (low, (high - low).max(1.0)),
        };
        let count = if self.samples > 0 { self.samples as f64 } else { (size / self.bins as f64).ceil().max(0.0) };
        Span { start, size, count }
    }

    /// Where the samples of bin `o` are, but for some that are outside the image.
    pub fn places(&self, span: Span, o: usize) -> impl Iterator<Item = f64> + use<> {
        let Span { start, size, count } = span;
        let bin = size / self.bins as f64;
        let place = move |i: f64| start + (o as f64 + (i + 0.5) / count) * bin;
        // Where their number is adaptive, samples are half a pixel apart or more, if there are several.
        let (first, visited) = if self.samples == 0 && count > 1.0 {
            let before = ((-1.0 - place(-0.5)) / (bin / count) - 0.5).floor() - 2.0;
            let first = before.clamp(0.0, count - 1.0);
            (first, (count - first).min(self.extent as f64 + 8.0))
        } else {
            (0.0, count)
        };
        (0..visited as usize).map(move |k| place(first + k as f64))
    }

    /// The two pixels about a place in the image or up to a pixel outside.
    pub fn taps(&self, place: f64) -> Option<[Tap; 2]> {
        let last = self.extent - 1;
        (-1.0..=self.extent as f64).contains(&place).then(|| {
            let within = place.clamp(0.0, last as f64);
            let (low, t) = (within.floor() as usize, within - within.floor());
            [Tap { at: low, weight: 1.0 - t }, Tap { at: (low + 1).min(last), weight: t }]
        })
    }
}

/// Images `[n, c, h, w]`, and regions of them.
#[derive(Clone, Copy, Debug)]
pub struct Regions<'a> {
    pub x: &'a [f32],
    pub channels: usize,
    /// Four corners per region: x1, y1, x2, y2.
    pub boxes: &'a [f32],
    /// The image of each region.
    pub images: &'a [usize],
    /// Rows, columns.
    pub axes: [Axis; 2],
    /// Whether a bin is the maximum of its weighted pixels, and not the mean of its samples.
    pub max: bool,
}

/// A bin of a region of a plane.
#[derive(Clone, Copy, Debug)]
pub struct Bin<'a> {
    pub plane: &'a [f32],
    /// x1, y1, x2, y2.
    pub corners: [f32; 4],
    /// Which it is, of rows and of columns.
    pub at: [usize; 2],
}

impl<'a> Regions<'a> {
    /// `f` of every bin, or NaN where a corner is not finite.
    pub fn each(&self, f: impl Fn(&Bin<'a>) -> f32 + Sync) -> Vec<f32> {
        let [h, w] = self.axes.map(|axis| axis.extent);
        let [oh, ow] = self.axes.map(|axis| axis.bins);
        parallel::collect(self.images.len() * self.channels * oh * ow, |i| {
            let (plane, region) = (i / (oh * ow) % self.channels, i / (oh * ow) / self.channels);
            let first = (self.images[region] * self.channels + plane) * h * w;
            let corners = std::array::from_fn(|k| self.boxes[region * 4 + k]);
            let bin = Bin { plane: &self.x[first..first + h * w], corners, at: [i / ow % oh, i % ow] };
            if corners.iter().all(|v: &f32| v.is_finite()) { f(&bin) } else { f32::NAN }
        })
    }

    /// Rows and columns of the region of a bin.
    pub fn spans(&self, bin: &Bin<'_>) -> [Span; 2] {
        let [x1, y1, x2, y2] = bin.corners;
        [self.axes[0].span(y1, y2), self.axes[1].span(x1, x2)]
    }

    /// The samples of a bin along both axes; `None` is 0.
    pub fn taps(&self, bin: &Bin<'_>, spans: [Span; 2]) -> [Vec<Option<[Tap; 2]>>; 2] {
        std::array::from_fn(|k| {
            let axis = self.axes[k];
            axis.places(spans[k], bin.at[k]).map(|place| axis.taps(place)).collect()
        })
    }

    /// The value of a bin, of what `weigh` makes of the pixels.
    pub fn value(&self, bin: &Bin<'_>, spans: [Span; 2], weigh: fn(f64) -> f64) -> f64 {
        let [rows, columns] = self.taps(bin, spans);
        if rows.is_empty() || columns.is_empty() {
            return 0.0;
        }
        let pairs = rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
        let terms = pairs.map(|(row, column)| {
            let (Some(row), Some(column)) = (row, column) else { return [0.0; 4] };
            let term = |k: usize| {
                let (y, x) = (row[k / 2], column[k % 2]);
                y.weight * x.weight * weigh(bin.plane[y.at * self.axes[1].extent + x.at].into())
            };
            [0, 1, 2, 3].map(term)
        });
        if self.max {
            let larger = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
            return terms.flatten().fold(f64::NEG_INFINITY, larger);
        }
        terms.map(|four| four.iter().sum::<f64>()).sum::<f64>() / (spans[0].count * spans[1].count)
    }
}

/// The value of every bin in f64, rounded once.
pub fn roi_align(regions: &Regions<'_>) -> Vec<f32> {
    regions.each(|bin| regions.value(bin, regions.spans(bin), |v| v) as f32)
}

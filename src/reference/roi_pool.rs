//! The maxima of bins of regions of images: torchvision's `roi_pool` and ONNX's MaxRoiPool.

use std::ops::Range;

use super::roi_align::FAR;
use crate::parallel;

/// An axis of the images, and how regions are divided along it.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Its pixels.
    pub extent: usize,
    /// Bins of a region.
    pub bins: usize,
    /// Pixels per unit of the boxes.
    pub scale: f64,
}

impl Axis {
    /// A corner in pixels.
    pub fn corner(&self, v: f32) -> f64 {
        (f64::from(v) * self.scale).clamp(-FAR, FAR)
    }

    /// The pixels of bin `o` of the region from one pixel to another.
    pub fn bin(&self, [first, last]: [f64; 2], o: usize) -> Range<usize> {
        let (start, size) = (first as i64, (last as i64 - first as i64 + 1).max(1));
        let (o, bins) = (o as i64, self.bins as i64);
        let clamped = |at: i64| at.clamp(0, self.extent as i64) as usize;
        clamped(start + o * size / bins)..clamped(start + ((o + 1) * size + bins - 1) / bins)
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
}

impl<'a> Regions<'a> {
    /// `f` of the plane, the corners of the region and the bin of every output, or NaN where a corner is not finite.
    pub fn each(&self, f: impl Fn(&'a [f32], [f32; 4], [usize; 2]) -> f32 + Sync) -> Vec<f32> {
        let [h, w] = self.axes.map(|axis| axis.extent);
        let [oh, ow] = self.axes.map(|axis| axis.bins);
        parallel::collect(self.images.len() * self.channels * oh * ow, |i| {
            let (plane, region) = (i / (oh * ow) % self.channels, i / (oh * ow) / self.channels);
            let first = (self.images[region] * self.channels + plane) * h * w;
            let corners: [f32; 4] = std::array::from_fn(|k| self.boxes[region * 4 + k]);
            let is_there = corners.iter().all(|v| v.is_finite());
            if is_there { f(&self.x[first..first + h * w], corners, [i / ow % oh, i % ow]) } else { f32::NAN }
        })
    }

    /// The maximum of the pixels of these rows and columns; 0 if there are none.
    pub fn maximum(&self, plane: &[f32], rows: Range<usize>, columns: &Range<usize>) -> f32 {
        let width = self.axes[1].extent;
        let pixels = rows.flat_map(|row| plane[row * width..][columns.clone()].iter().copied());
        let larger = |a: f32, b: f32| if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) };
        pixels.reduce(larger).unwrap_or(0.0)
    }
}

/// The maximum of every bin; halves of corners are rounded away from 0.
pub fn roi_pool(regions: &Regions<'_>) -> Vec<f32> {
    regions.each(|plane, [x1, y1, x2, y2], [oy, ox]| {
        let [rows, columns] = regions.axes;
        let rounded = |axis: &Axis, ends: [f32; 2]| ends.map(|v| axis.corner(v).round());
        let (rows, columns) = (rows.bin(rounded(&rows, [y1, y2]), oy), columns.bin(rounded(&columns, [x1, x2]), ox));
        regions.maximum(plane, rows, &columns)
    })
}

//! Means and variances of the slices of a tensor.

use crate::parallel;
/// A tensor seen as `[outer, slices, inner]`: slice `s` is every element whose middle index is `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Slices {
    pub outer: usize,
    pub slices: usize,
    pub inner: usize,
}

impl Slices {
    /// Values of one slice.
    pub fn count(&self) -> usize {
        self.outer * self.inner
    }
    /// The slice of an element.
    pub fn of(&self, i: usize) -> usize {
        i / self.inner % self.slices
    }
    /// The values of a slice.
    pub fn values<'a>(&self, x: &'a [f32], slice: usize) -> impl Iterator<Item = f64> + Clone + use<'a> {
        let Slices { outer, slices, inner } = *self;
        (0..outer).flat_map(move |o| x[(o * slices + slice) * inner..][..inner].iter().map(|&v| f64::from(v)))
    }
}

/// The moments of one slice, and the values that their accuracy in f32 depends on (`bound::moments`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    /// Values of the slice.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their biased variance: the mean squared distance from the mean.
    pub var: f64,
    /// The mean distance from the slice's first value.
    pub distance: f64,
    /// The root mean squared distance from the slice's first value.
    pub spread: f64,
}

/// The mean that a normalisation subtracts and the scale that it multiplies by.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Scale {
    pub mean: f64,
    pub scale: f64,
}

impl Scale {
    /// (x - mean) / sqrt(var + eps).
    pub fn new(mean: f64, var: f64, eps: f32) -> Scale {
        Scale { mean, scale: (var + f64::from(eps)).powf(-0.5) }
    }
    /// (x - mean) / (sqrt(var) + eps).
    pub fn outside(mean: f64, var: f64, eps: f32) -> Scale {
        Scale { mean, scale: 1.0 / (var.sqrt() + f64::from(eps)) }
    }
}

/// The moments of every slice: the mean first, then the distances from it.
pub fn moments(x: &[f32], slices: &Slices) -> Vec<Moments> {
    let one = |slice| {
        let values = slices.values(x, slice);
        let count = slices.count();
        let average = |sum: f64| sum / count as f64;
        let first = values.clone().next().unwrap_or(0.0);
        let mean = average(values.clone().sum());
        let var = average(values.clone().map(|v| (v - mean).powi(2)).sum());
        let distance = average(values.clone().map(|v| (v - first).abs()).sum());
        let spread = average(values.map(|v| (v - first).powi(2)).sum()).sqrt();
        Moments { count, mean, var, distance, spread }
    };
    parallel::collect(slices.slices, one)
}

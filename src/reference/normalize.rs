//! `y = (x - mean) scale weight + bias`, the second half of every normalisation.

use super::moments::{Scale, Slices};
use crate::parallel;

/// Weights and biases: element `i` has entry `i / step % entries`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Affine<'a> {
    pub weight: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
    pub step: usize,
    pub entries: usize,
}

impl Affine<'_> {
    /// Weight and bias of an element.
    pub fn at(&self, i: usize) -> (f64, f64) {
        let entry = i / self.step.max(1) % self.entries.max(1);
        (self.weight.map_or(1.0, |w| w[entry].into()), self.bias.map_or(0.0, |b| b[entry].into()))
    }
}

/// The normalised values; `scales` has one entry per slice.
pub fn normalize(x: &[f32], slices: &Slices, scales: &[Scale], affine: &Affine) -> Vec<f64> {
    parallel::collect(x.len(), |i| {
        let s = &scales[slices.of(i)];
        let (weight, bias) = affine.at(i);
        (f64::from(x[i]) - s.mean) * s.scale * weight + bias
    })
}

/// The norms of order p, 1 or 2, along the middle axis of `[outer, n, inner]`, row-major over the others.
pub fn lp_norms(x: &[f32], [outer, n, inner]: [usize; 3], p: usize) -> Vec<f64> {
    let one = |i: usize| {
        let values = (0..n).map(|k| f64::from(x[(i / inner * n + k) * inner + i % inner]));
        if p == 1 { values.map(f64::abs).sum() } else { values.map(|v| v * v).sum::<f64>().sqrt() }
    };
    parallel::collect(outer * inner, one)
}

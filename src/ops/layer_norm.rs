//! `layer_norm`: normalises every slice over the trailing axes to mean 0 and standard deviation 1.

use super::normalization::{Normalization, Spread, merging};
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::bound;
use crate::bound::moments::Merged;
use crate::error::{Error, Result};
use crate::gpu::launch::Arg;
use crate::reference::moments::{Moments, Scale, Slices, moments};
use crate::reference::normalize::{Affine, normalize};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html>
///
/// `y = (x - mean) / sqrt(var + eps) weight + bias`, mean and biased variance over the last `axes` axes.
/// Inputs: x, optionally weight, optionally bias, both shaped like the last `axes` axes of x.
/// Outputs: y, shaped like x; with `stats` also the means and `1 / sqrt(var + eps)`, the last `axes` axes 1.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Number of trailing axes to normalise over.
    pub axes: usize,
    /// Added to the variance.
    pub eps: f32,
    /// Whether the statistics are outputs.
    pub stats: bool,
}

impl LayerNorm {
    fn slices(&self, x: &[usize]) -> Slices {
        let (leading, trailing) = x.split_at(x.len() - self.axes);
        Slices { outer: 1, slices: leading.iter().product(), inner: trailing.iter().product() }
    }

    fn affine<'a>(&self, inputs: &'a [Tensor]) -> Affine<'a> {
        let (weight, bias) = (inputs.get(1).map(Tensor::f32s), inputs.get(2).map(Tensor::f32s));
        Affine { weight, bias, step: 1, entries: self.slices(inputs[0].shape()).inner }
    }

    fn moments(&self, x: &Tensor) -> Vec<Moments> {
        moments(x.f32s(), &self.slices(x.shape()))
    }

    fn normalization(&self, x: &[usize]) -> Normalization {
        let slices = self.slices(x);
        let (entries, layout) = (slices.inner, Layout::RowMajor);
        Normalization { slices, entries, step: 1, eps: self.eps, layout, members: 1, per_image: false, serial: false }
    }

    fn with_stats<T>(&self, y: T, mean: T, inverse: T) -> Vec<T> {
        if self.stats { vec![y, mean, inverse] } else { vec![y] }
    }
}

impl Op for LayerNorm {
    built_in!("layer_norm": axes, eps, stats);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=3)?;
        let x = &inputs[0];
        if self.axes > x.rank() {
            return Err(Error::argument(format!("{} axes to normalise over, {x} has {}", self.axes, x.rank())));
        }
        let (leading, trailing) = x.shape.split_at(x.rank() - self.axes);
        if let Some(d) = inputs[1..].iter().find(|d| d.shape != trailing) {
            return Err(Error::shape(format!("weight and bias must be {trailing:?}; one is {d}")));
        }
        if self.stats && trailing.contains(&0) && !leading.contains(&0) {
            return Err(Error::shape("the normalised axes have no values, so there is no mean"));
        }
        let reduced = Desc::f32([leading, &vec![1; self.axes]].concat());
        Ok(self.with_stats(x.clone(), reduced.clone(), reduced))
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let stats = self.moments(x);
        let scales: Vec<_> = stats.iter().map(|m| Scale::new(m.mean, m.var, self.eps)).collect();
        let y = normalize(x.f32s(), &self.slices(x.shape()), &scales, &self.affine(inputs));
        let mean = scales.iter().map(|s| s.mean as f32).collect();
        let inverse = scales.iter().map(|s| s.scale as f32).collect();
        let values = self.with_stats(y.into_iter().map(|v| v as f32).collect(), mean, inverse);
        let descs = self.outputs(&inputs.iter().map(Tensor::desc).collect::<Vec<_>>())?;
        Ok(descs.into_iter().zip(values).map(|(d, v): (Desc, Vec<f32>)| Tensor::of(d.shape, v)).collect())
    }

    /// `bound::normalize` with the errors of the statistics (`bound::moments`).
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        (self as &dyn Op).bounds_by(Algorithm::Direct, inputs, outputs)
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let x = &inputs[0];
        let height = self.normalization(x.shape()).by(algorithm).height(&x.desc());
        let scales: Vec<_> = self.moments(x).into_iter().map(|m| Merged::new(m, height).scale(self.eps)).collect();
        let y = bound::normalize::bounds(x.f32s(), &self.slices(x.shape()), &scales, &self.affine(inputs));
        let mean = scales.iter().map(|s| s.mean_error as f32).collect();
        let inverse = scales.iter().map(|s| (s.scale_error * s.scale.scale) as f32).collect();
        Ok(Some(self.with_stats(y.into_iter().map(|b| b as f32).collect(), mean, inverse)))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        if x.numel() == 0 {
            return Ok(vec![Variant::row_major(site, vec![])]);
        }
        let stats = if self.stats { [Arg::Output(1), Arg::Output(2)] } else { [Arg::Scratch(2), Arg::Scratch(3)] };
        let affine = |k| (site.inputs.len() > k).then_some(Arg::Input(k));
        let variant = |norm: &Normalization| {
            let mut run = norm.statistics(x, Spread::Inverse, stats);
            run.push(norm.apply(x, stats, Spread::Inverse, affine(1), affine(2)));
            let mut scratch = norm.scratch(x);
            scratch.truncate(if self.stats { 2 } else { 4 });
            norm.alternative(site, scratch, run)
        };
        Ok(merging(x, std::iter::once(self.normalization(&x.shape)), variant))
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        6 * inputs[0].numel() as u64
    }
}

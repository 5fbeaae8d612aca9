//! `batch_norm`: normalises every channel, with stored statistics or those of the batch, then scales and shifts it.

use super::normalization::{Normalization, Spread, layouts, merging};
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::bound;
use crate::bound::moments::{Bounded, Merged, inverse_sqrt};
use crate::bound::{TINY, UNIT};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::FLAT;
use crate::reference::moments::{Scale, Slices, moments};
use crate::reference::normalize::{Affine, normalize};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

static RUNNING: Kernel = kernel!("batch_norm_running", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&RUNNING];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html> with `training=False`
///
/// `y = (x - running_mean) / sqrt(running_var + eps) weight + bias`.
/// Inputs: x `[n, c, spatial..]`, weight, bias, running_mean, running_var, each `[c]`. Output: y, shaped like x.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f32,
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html> with `training=True`
///
/// Inputs as [`BatchNorm`]'s. Outputs: y, normalised by the mean and the biased variance of the batch; new_running_mean and
/// new_running_var, `(1 - momentum) running + momentum statistic`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormTraining {
    /// Added to the variance.
    pub eps: f32,
    /// The weight of the batch's statistics in the new running ones; 1 / step gives a cumulative average.
    pub momentum: f32,
    /// Whether the unbiased variance is stored, n / (n - 1) times the biased one (PyTorch), or the biased one (ONNX).
    pub unbiased: bool,
}

fn check(op: &dyn Op, inputs: &[Desc]) -> Result<()> {
    expect_f32(op, inputs, 5..=5)?;
    let x = &inputs[0].shape;
    if x.len() < 2 {
        return Err(Error::shape(format!("batch_norm needs [n, c, ..], has {x:?}")));
    }
    if let Some(d) = inputs[1..].iter().find(|d| d.shape != [x[1]]) {
        let text = format!("weight, bias, mean and variance must be [{}], one value per channel; one is {d}", x[1]);
        return Err(Error::shape(text));
    }
    Ok(())
}

fn slices(x: &[usize]) -> Slices {
    Slices { outer: x[0], slices: x[1], inner: x[2..].iter().product() }
}

fn affine(inputs: &[Tensor]) -> Affine<'_> {
    let Slices { slices, inner, .. } = slices(inputs[0].shape());
    Affine { weight: Some(inputs[1].f32s()), bias: Some(inputs[2].f32s()), step: inner, entries: slices }
}

fn normalization(x: &Desc, eps: f32, layout: Layout) -> Normalization {
    let slices = slices(&x.shape);
    let (entries, step) = (slices.slices, slices.inner);
    Normalization { slices, entries, step, eps, layout, members: 1, per_image: false, serial: false }
}

fn to_f32(values: impl IntoIterator<Item = f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

impl BatchNorm {
    fn scales(&self, inputs: &[Tensor]) -> Vec<Bounded> {
        let pairs = inputs[3].f32s().iter().zip(inputs[4].f32s());
        pairs.map(|(&mean, &var)| inverse_sqrt(mean.into(), var.into(), 0.0, self.eps)).collect()
    }
}

impl Op for BatchNorm {
    built_in!("batch_norm": eps);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        check(self, inputs)?;
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let scales: Vec<_> = self.scales(inputs).into_iter().map(|s| s.scale).collect();
        let y = normalize(x.f32s(), &slices(x.shape()), &scales, &affine(inputs));
        Ok(vec![Tensor::of(x.shape(), to_f32(y))])
    }

    /// `bound::normalize`; the statistics are exact.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let x = &inputs[0];
        let bounds = bound::normalize::bounds(x.f32s(), &slices(x.shape()), &self.scales(inputs), &affine(inputs));
        Ok(Some(vec![to_f32(bounds)]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        let variant = |layout| {
            let norm = normalization(x, self.eps, layout);
            let stats = [Arg::Input(3), Arg::Input(4)];
            let launch = norm.apply(x, stats, Spread::Variance, Some(Arg::Input(1)), Some(Arg::Input(2)));
            norm.alternative(site, vec![], vec![launch])
        };
        Ok(layouts(site, true).into_iter().map(variant).collect())
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        2 * inputs[0].numel() as u64
    }
}

impl BatchNormTraining {
    /// The batch's moments as the kernels compute them, in either layout.
    fn merged(&self, x: &Tensor, algorithm: Algorithm) -> Vec<Merged> {
        let desc = x.desc();
        let height = |layout| normalization(&desc, self.eps, layout).by(algorithm).height(&desc);
        let heights = [Layout::RowMajor, Layout::ChannelsLast].map(height);
        let [row_major, channels_last] = heights;
        let stats = moments(x.f32s(), &slices(x.shape()));
        stats.into_iter().map(|m| Merged::new(m, row_major.max(channels_last))).collect()
    }

    /// The factor of the biased variance before it is stored.
    fn correction(&self, count: usize) -> f64 {
        if self.unbiased { count as f64 / (count as f64 - 1.0) } else { 1.0 }
    }

    fn running<'a>(&self, old: &'a Tensor, new: impl Iterator<Item = f64> + 'a) -> Vec<f32> {
        let momentum = f64::from(self.momentum);
        to_f32(old.f32s().iter().zip(new).map(|(&old, new)| (1.0 - momentum) * f64::from(old) + momentum * new))
    }

    /// keep old + momentum new: keep is rounded, so are both products, the sum, and the correction and its product.
    fn running_bounds(&self, old: &Tensor, new: impl Iterator<Item = (f64, f64)>) -> Vec<f32> {
        let momentum = f64::from(self.momentum).abs();
        let keep = (1.0 - f64::from(self.momentum)).abs();
        let one = |(&old, (new, error)): (&f32, (f64, f64))| {
            let new = new.abs() + error;
            momentum * error + 6.0 * UNIT * (keep * f64::from(old).abs() + momentum * new) + TINY
        };
        to_f32(old.f32s().iter().zip(new).map(one))
    }
}

impl Op for BatchNormTraining {
    built_in!("batch_norm_training": eps, momentum, unbiased);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        check(self, inputs)?;
        let x = &inputs[0];
        let needed = if self.unbiased { 2 } else { 1 };
        if slices(&x.shape).count() < needed {
            let text = format!("training needs at least {needed} values per channel, {x} has fewer");
            return Err(Error::shape(text));
        }
        Ok(vec![x.clone(), inputs[3].clone(), inputs[4].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let slices = slices(x.shape());
        let stats = moments(x.f32s(), &slices);
        let scales: Vec<_> = stats.iter().map(|m| Scale::new(m.mean, m.var, self.eps)).collect();
        let y = normalize(x.f32s(), &slices, &scales, &affine(inputs));
        let correction = self.correction(slices.count());
        let mean = self.running(&inputs[3], stats.iter().map(|m| m.mean));
        let var = self.running(&inputs[4], stats.iter().map(|m| m.var * correction));
        let channels = [slices.slices];
        Ok(vec![Tensor::of(x.shape(), to_f32(y)), Tensor::of(channels, mean), Tensor::of(channels, var)])
    }

    /// `bound::normalize` with the errors of the batch's statistics (`bound::moments`).
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        (self as &dyn Op).bounds_by(Algorithm::Direct, inputs, outputs)
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let x = &inputs[0];
        let slices = slices(x.shape());
        let stats = self.merged(x, algorithm);
        let scales: Vec<_> = stats.iter().map(|m| m.scale(self.eps)).collect();
        let y = bound::normalize::bounds(x.f32s(), &slices, &scales, &affine(inputs));
        let correction = self.correction(slices.count());
        let mean = self.running_bounds(&inputs[3], stats.iter().map(Merged::mean));
        let var = stats.iter().map(Merged::var).map(|(var, error)| (var * correction, error * correction));
        Ok(Some(vec![to_f32(y), mean, self.running_bounds(&inputs[4], var)]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        if x.numel() == 0 {
            return Ok(vec![Variant::row_major(site, vec![])]);
        }
        let variant = |norm: &Normalization| {
            let stats = [Arg::Scratch(2), Arg::Scratch(3)];
            let mut run = norm.statistics(x, Spread::Variance, stats);
            run.push(norm.apply(x, stats, Spread::Variance, Some(Arg::Input(1)), Some(Arg::Input(2))));
            run.push(self.store(norm.slices, stats));
            norm.alternative(site, norm.scratch(x), run)
        };
        let norms = layouts(site, true).into_iter().map(|layout| normalization(x, self.eps, layout));
        Ok(merging(x, norms, variant))
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        6 * inputs[0].numel() as u64
    }
}

impl BatchNormTraining {
    /// The launch that mixes the batch's statistics into the running ones.
    fn store(&self, slices: Slices, stats: [Arg; 2]) -> Launch {
        let (c, momentum) = (slices.slices, self.momentum);
        let keep = (1.0 - f64::from(momentum)) as f32;
        let correction = self.correction(slices.count()) as f32;
        Launch::flat(&RUNNING, c, params!(c, keep, momentum, correction))
            .reads([stats[0], stats[1], Arg::Input(3), Arg::Input(4)])
            .writes([Arg::Output(1), Arg::Output(2)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_has_the_height_of_the_tree() {
        let op = BatchNormTraining { eps: 1e-5, momentum: 1.0, unbiased: false };
        let values = (0..3 * 20 * 70).map(|k| (k * 37 % 101) as f32).collect::<Vec<_>>();
        let [ones, zeros] = [1.0, 0.0].map(|v| Tensor::full([20], v));
        let inputs = [Tensor::of([3, 20, 70], values), ones.clone(), zeros.clone(), zeros, ones];
        let x = inputs[0].desc();
        let [row_major, channels_last] =
            [Layout::RowMajor, Layout::ChannelsLast].map(|l| normalization(&x, op.eps, l).height(&x));
        let mean = &op.bounds(&inputs, &[]).unwrap().unwrap()[1];
        let by = |height| {
            let stats = moments(inputs[0].f32s(), &slices(&x.shape)).into_iter();
            op.running_bounds(&inputs[3], stats.map(|m| Merged::new(m, height).mean()))
        };
        assert!(row_major != channels_last && *mean == by(row_major.max(channels_last)));
        assert_ne!(*mean, by(row_major.min(channels_last)));
    }
}

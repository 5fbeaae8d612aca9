//! `group_norm`: normalises every group of channels of every image to mean 0 and standard deviation 1. Instance norm is
//! the case of one channel per group.

use super::normalization::{Normalization, Spread, layouts, merging};
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::bound;
use crate::bound::moments::Merged;
use crate::error::{Error, Result};
use crate::gpu::launch::Arg;
use crate::reference::moments::{Moments, Scale, Slices, moments};
use crate::reference::normalize::{Affine, normalize};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html>
///
/// `y = (x - mean) / sqrt(var + eps) weight + bias`, mean and biased variance over a group of channels of an image.
/// Inputs: x `[n, c, spatial..]`, then both or neither of weight and bias `[c]`. Output: y, shaped like x.
/// With `groups` the number of channels this is `torch.nn.functional.instance_norm`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupNorm {
    /// The channels are split into this many groups.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f32,
}

impl GroupNorm {
    /// Instance norm of an image of this many channels.
    pub fn instance(channels: usize, eps: f32) -> GroupNorm {
        GroupNorm { groups: channels, eps }
    }

    fn slices(&self, x: &[usize]) -> Slices {
        let area: usize = x[2..].iter().product();
        Slices { outer: 1, slices: x[0] * self.groups, inner: x[1] / self.groups * area }
    }

    fn affine<'a>(&self, inputs: &'a [Tensor]) -> Affine<'a> {
        let x = inputs[0].shape();
        let (weight, bias) = (inputs.get(1).map(Tensor::f32s), inputs.get(2).map(Tensor::f32s));
        Affine { weight, bias, step: x[2..].iter().product(), entries: x[1] }
    }

    fn moments(&self, x: &Tensor) -> Vec<Moments> {
        moments(x.f32s(), &self.slices(x.shape()))
    }

    /// The heights of the trees in the layouts that have kernels: row-major, and channels-last if allowed.
    fn heights(&self, x: &Desc, algorithm: Algorithm) -> [Option<usize>; 2] {
        let channels_last = self.normalization(x, Layout::ChannelsLast).by(algorithm);
        let row_major = self.normalization(x, Layout::RowMajor).by(algorithm).height(x);
        [Some(row_major), channels_last.allows_channels_last(x).then(|| channels_last.height(x))]
    }

    fn normalization(&self, x: &Desc, layout: Layout) -> Normalization {
        Normalization {
            slices: self.slices(&x.shape),
            entries: x.shape[1],
            step: x.shape[2..].iter().product(),
            eps: self.eps,
            layout,
            members: x.shape[1] / self.groups,
            per_image: true,
            serial: false,
        }
    }
}

impl Op for GroupNorm {
    built_in!("group_norm": groups, eps);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=3)?;
        if inputs.len() == 2 {
            return Err(Error::shape("group_norm takes both or neither of weight and bias"));
        }
        let x = &inputs[0].shape;
        if x.len() < 2 {
            return Err(Error::shape(format!("group_norm needs [n, c, ..], has {x:?}")));
        }
        if self.groups == 0 || !x[1].is_multiple_of(self.groups) {
            return Err(Error::shape(format!("{} channels cannot be split into {} groups", x[1], self.groups)));
        }
        if let Some(d) = inputs[1..].iter().find(|d| d.shape != [x[1]]) {
            return Err(Error::shape(format!("weight and bias must be [{}], one value per channel; one is {d}", x[1])));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let scales: Vec<_> = self.moments(x).iter().map(|m| Scale::new(m.mean, m.var, self.eps)).collect();
        let y = normalize(x.f32s(), &self.slices(x.shape()), &scales, &self.affine(inputs));
        Ok(vec![Tensor::of(x.shape(), y.into_iter().map(|v| v as f32).collect::<Vec<_>>())])
    }

    /// `bound::normalize` with the errors of the statistics (`bound::moments`).
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        (self as &dyn Op).bounds_by(Algorithm::Direct, inputs, outputs)
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let x = &inputs[0];
        let height = self.heights(&x.desc(), algorithm).into_iter().flatten().max().unwrap_or_default();
        let scales: Vec<_> = self.moments(x).into_iter().map(|m| Merged::new(m, height).scale(self.eps)).collect();
        let bounds = bound::normalize::bounds(x.f32s(), &self.slices(x.shape()), &scales, &self.affine(inputs));
        Ok(Some(vec![bounds.into_iter().map(|b| b as f32).collect()]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        if x.numel() == 0 {
            return Ok(vec![Variant::row_major(site, vec![])]);
        }
        let affine = |k| (site.inputs.len() > k).then_some(Arg::Input(k));
        let variant = |norm: &Normalization| {
            let stats = [Arg::Scratch(2), Arg::Scratch(3)];
            let mut run = norm.statistics(x, Spread::Inverse, stats);
            run.push(norm.apply(x, stats, Spread::Inverse, affine(1), affine(2)));
            norm.alternative(site, norm.scratch(x), run)
        };
        let channels_last = self.normalization(x, Layout::ChannelsLast).allows_channels_last(x);
        let norms = layouts(site, channels_last).into_iter().map(|layout| self.normalization(x, layout));
        Ok(merging(x, norms, variant))
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        6 * inputs[0].numel() as u64
    }
}

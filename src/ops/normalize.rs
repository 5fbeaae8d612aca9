//! ONNX's normalisations without weights: `lp_normalize` to norm 1, `mean_variance_normalize` to mean 0 and deviation 1.

use super::normalization::{Normalization, Spread, merging};
use super::tree::Tree;
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::bound;
use crate::bound::moments::Merged;
use crate::bound::normalize::lp_bounds;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, folded, nested, params};
use crate::gpu::pieces::{SCALED, TEAM, TREE_SUM};
use crate::parallel;
use crate::reference::moments::{Scale, Slices, moments};
use crate::reference::normalize::{self, Affine, lp_norms};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

static LP_NORMALIZE: Kernel = kernel!("lp_normalize", SCALED, TREE_SUM, TEAM).sizes(&[("WORKGROUP", 64)]);

pub(super) const KERNELS: &[&Kernel] = &[&LP_NORMALIZE];

/// How a workgroup sums the powers of a norm; also in the text of `lp_normalize`.
const TREE: Tree = Tree { lanes: 64, width: 1 };
/// The same by one invocation, which needs no workgroup memory.
const SERIAL: Tree = Tree { lanes: 1, width: 1 };

/// The iterations of the two loops over a norm's values: four rounds per iteration.
fn iterations(tree: &Tree, n: usize) -> u64 {
    2 * nested(&[tree.rounds(n).div_ceil(4)])
}

const PLAIN: Affine<'static> = Affine { weight: None, bias: None, step: 1, entries: 1 };

fn check(op: &dyn Op, inputs: &[Desc], axes: &[usize]) -> Result<()> {
    expect_f32(op, inputs, 1..=1)?;
    let x = &inputs[0];
    match axes.iter().find(|&&axis| axis >= x.rank()) {
        Some(axis) => Err(Error::argument(format!("axis {axis} is outside {x}"))),
        None => Ok(()),
    }
}

/// <https://onnx.ai/onnx/operators/onnx__LpNormalization.html>
///
/// `y = x / norm of x along the axis`, 0 where the norm is 0. Input: x of any rank. Output: y, shaped like x.
#[derive(Clone, Debug, PartialEq)]
pub struct LpNormalize {
    /// The axis along which the norm becomes 1.
    pub axis: usize,
    /// 1: the sum of |x|; 2: the root of the sum of squares.
    pub p: usize,
}

impl LpNormalize {
    fn extents(&self, shape: &[usize]) -> [usize; 3] {
        [shape[..self.axis].iter().product(), shape[self.axis], shape[self.axis + 1..].iter().product()]
    }

    /// Applies `f` to each element and its norm.
    fn bounds_in(&self, tree: &Tree, x: &Tensor) -> Bounds {
        let n = x.shape()[self.axis];
        Some(vec![self.zip_norms(x, |x, norm| lp_bounds(x, norm, n, self.p, tree.depth(n)))])
    }

    fn zip_norms(&self, x: &Tensor, f: impl Fn(f64, f64) -> f64 + Sync) -> Vec<f32> {
        let extents = self.extents(x.shape());
        let [_, n, inner] = extents;
        let norms = lp_norms(x.f32s(), extents, self.p);
        let x = x.f32s();
        parallel::collect(x.len(), |i| f(x[i].into(), norms[i / (n * inner) * inner + i % inner]) as f32)
    }
}

impl Op for LpNormalize {
    built_in!("lp_normalize": axis, p);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        check(self, inputs, &[self.axis])?;
        if !matches!(self.p, 1 | 2) {
            return Err(Error::unsupported(format!("the norm of order {} (1 or 2)", self.p)));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y = self.zip_norms(&inputs[0], |x, norm| if norm == 0.0 { 0.0 } else { x / norm });
        Ok(vec![Tensor::of(inputs[0].shape(), y)])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(self.bounds_in(&TREE, &inputs[0]))
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        match algorithm {
            Algorithm::Serial => Ok(self.bounds_in(&SERIAL, &inputs[0])),
            _ => self.bounds(inputs, outputs),
        }
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let [outer, n, inner] = self.extents(&site.inputs[0].shape);
        let variant = |(tree, algorithm): (Tree, Algorithm)| {
            let launch = Launch::grid(&LP_NORMALIZE, folded(outer * inner), params!(outer, n, inner))
                .iterations(iterations(&tree, n))
                .set_const("WORKGROUP", tree.lanes as u32)
                .set("P", self.p as u32);
            Variant { algorithm, ..Variant::single(site, launch) }
        };
        Ok([(TREE, Algorithm::Direct), (SERIAL, Algorithm::Serial)].map(variant).into())
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        3 * inputs[0].numel() as u64
    }
}

/// <https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html>
///
/// `y = (x - mean) / (sqrt(var) + eps)`, mean and biased variance over the axes. Input: x. Output: y, shaped like x.
/// The axes that are kept must be adjacent.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanVarianceNormalize {
    /// The axes of one set of values; ONNX: 0, 2, 3.
    pub axes: Vec<usize>,
    /// Added to the deviation; ONNX: 1e-9.
    pub eps: f32,
}

impl MeanVarianceNormalize {
    fn kept(&self, shape: &[usize]) -> Vec<usize> {
        (0..shape.len()).filter(|axis| !self.axes.contains(axis)).collect()
    }

    /// x as `[outer, slices, inner]`; `None` if a reduced axis lies between kept ones.
    fn slices(&self, shape: &[usize]) -> Option<Slices> {
        let kept: Vec<_> = self.kept(shape).into_iter().filter(|&axis| shape[axis] != 1).collect();
        let (start, end) = (kept.first().copied().unwrap_or(0), kept.last().map_or(0, |last| last + 1));
        let middle: usize = shape[start..end].iter().product();
        let slices: usize = kept.iter().map(|&axis| shape[axis]).product();
        let outer = shape[..start].iter().product();
        (middle == slices).then_some(Slices { outer, slices, inner: shape[end..].iter().product() })
    }

    /// Whether the operator takes an input of this shape: the axes that are kept must be adjacent, except those of one element.
    pub fn takes(&self, shape: &[usize]) -> bool {
        self.slices(shape).is_some()
    }

    /// The normalisation in each of the supported layouts.
    fn normalizations(&self, x: &[usize]) -> Vec<Normalization> {
        let slices = self.slices(x).expect("the shape rule holds");
        let kept = self.kept(x);
        let (eps, per_image) = (self.eps, kept == [0, 1]);
        let of =
            |layout| Normalization { slices, entries: 1, step: 1, eps, layout, members: 1, per_image, serial: false };
        let channels_last = kept == [1] || kept == [0, 1];
        let layouts = [Some(Layout::RowMajor), channels_last.then_some(Layout::ChannelsLast)];
        layouts.into_iter().flatten().map(of).collect()
    }
}

impl Op for MeanVarianceNormalize {
    built_in!("mean_variance_normalize": axes, eps);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        check(self, inputs, &self.axes)?;
        let x = &inputs[0];
        if !self.takes(&x.shape) {
            let text = format!("the axes that are kept, {:?} of {x}, must be adjacent", self.kept(&x.shape));
            return Err(Error::unsupported(text));
        }
        Ok(vec![x.clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let slices = self.slices(x.shape()).expect("the shape rule holds");
        let scales: Vec<_> =
            moments(x.f32s(), &slices).iter().map(|m| Scale::outside(m.mean, m.var, self.eps)).collect();
        let y = normalize::normalize(x.f32s(), &slices, &scales, &PLAIN);
        Ok(vec![Tensor::of(x.shape(), y.into_iter().map(|v| v as f32).collect::<Vec<_>>())])
    }

    /// `bound::normalize` with the errors of the statistics (`bound::moments`).
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        (self as &dyn Op).bounds_by(Algorithm::Direct, inputs, outputs)
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let x = &inputs[0];
        let slices = self.slices(x.shape()).expect("the shape rule holds");
        let norms = self.normalizations(x.shape()).into_iter();
        let height = norms.map(|norm| norm.by(algorithm).height(&x.desc())).max().unwrap_or_default();
        let moments = moments(x.f32s(), &slices).into_iter();
        let scales: Vec<_> = moments.map(|m| Merged::new(m, height).scale_outside(self.eps)).collect();
        let bounds = bound::normalize::bounds(x.f32s(), &slices, &scales, &PLAIN);
        Ok(Some(vec![bounds.into_iter().map(|b| b as f32).collect()]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        if x.numel() == 0 {
            return Ok(vec![Variant::row_major(site, vec![])]);
        }
        let variant = |norm: &Normalization| {
            let stats = [Arg::Scratch(2), Arg::Scratch(3)];
            let mut run = norm.statistics(x, Spread::InverseOutside, stats);
            run.push(norm.apply(x, stats, Spread::InverseOutside, None, None));
            norm.alternative(site, norm.scratch(x), run)
        };
        let mut norms = self.normalizations(&x.shape);
        if site.is_channels_last(0) {
            norms.reverse();
        }
        Ok(merging(x, norms.into_iter(), variant))
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        6 * inputs[0].numel() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tree::tests::{constant, variants};

    #[test]
    fn teams_come_before_what_a_single_invocation_does() {
        let op = MeanVarianceNormalize { axes: vec![0, 2, 3], eps: 1e-9 };
        let variants = variants(&op, &[&[2, 5, 400, 400]]);
        let teams = variants.iter().filter(|v| v.algorithm == Algorithm::Direct);
        assert_eq!(teams.map(|v| v.has_workgroup_memory()).collect::<Vec<_>>(), [true; 2]);
        assert!(variants.iter().any(|v| v.algorithm == Algorithm::Serial && !v.has_workgroup_memory()));
    }

    #[test]
    fn text_launch_and_bound_have_one_tree() {
        assert_eq!(constant(&LP_NORMALIZE, "WORKGROUP"), TREE.lanes);
        let (n, other) = (5000, Tree { lanes: 256, ..TREE });
        let op = LpNormalize { axis: 0, p: 2 };
        let launch = variants(&op, &[&[n]]).remove(0).run.remove(0);
        assert_eq!(launch.iterations, iterations(&TREE, n));
        assert_ne!(launch.iterations, iterations(&other, n));

        let x = Tensor::full([n], 1.0);
        let bound = op.bounds(&[x], &[]).unwrap().unwrap()[0][0];
        let by = |tree: &Tree| lp_bounds(1.0, (n as f64).sqrt(), n, 2, tree.depth(n)) as f32;
        assert_eq!(bound, by(&TREE));
        assert_ne!(bound, by(&other));
    }
}

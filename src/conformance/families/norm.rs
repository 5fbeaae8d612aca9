//! Normalisation.

use crate::conformance::draw::{Drawn, Draws, Fill};
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::ops::normalize::{LpNormalize, MeanVarianceNormalize};

/// Of the four vectors of a batch norm the last holds variances.
const STATISTICS: [Fill; 5] = [Fill::Any, Fill::Any, Fill::Any, Fill::Any, Fill::Positive];

/// Images, rows, or signals.
fn batch_shape(r: &mut Draws) -> Vec<usize> {
    match r.rng.int(0, 3) {
        0 => vec![r.count(), r.extent()],
        1 => vec![r.count(), r.extent(), r.extent()],
        _ => r.image().to_vec(),
    }
}

/// A small number that is added to a variance: a large variance hides it.
fn eps(r: &mut Draws) -> f32 {
    if r.wild { r.number() } else { r.one(&[1e-5, 1e-3, 0.25]) }
}

pub fn batch(r: &mut Draws) -> Drawn {
    let shape = batch_shape(r);
    let (c, eps) = (shape[1], eps(r));
    r.of(BatchNorm { eps }, &[&shape, &[c], &[c], &[c], &[c]]).filled(STATISTICS)
}

pub fn batch_training(r: &mut Draws) -> Drawn {
    let shape = batch_shape(r);
    let c = shape[1];
    let (eps, momentum, unbiased) = (eps(r), r.number(), r.flag());
    r.of(BatchNormTraining { eps, momentum, unbiased }, &[&shape, &[c], &[c], &[c], &[c]]).filled(STATISTICS)
}

pub fn group(r: &mut Draws) -> Drawn {
    let mut shape = r.image();
    let groups = if r.flag() { shape[1] } else { r.count() };
    if r.flag() && groups > 0 {
        // An edge case may be too large.
        shape[1] = shape[1].checked_next_multiple_of(groups.min(64)).unwrap_or(shape[1]);
    }
    let (c, eps) = (shape[1], eps(r));
    let all: [&[usize]; 3] = [&shape, &[c], &[c]];
    let given = if r.flag() { 3 } else { 1 };
    r.of(GroupNorm { groups, eps }, &all[..given])
}

pub fn layer(r: &mut Draws) -> Drawn {
    let mut shape = r.shape(7);
    if !r.wild && r.rng.int(0, 2) == 0 {
        shape.push(r.rng.int(60, 700));
    }
    let axes = if r.flag() { 1 } else { r.count() };
    let (eps, stats) = (eps(r), r.flag());
    let last = shape[shape.len().saturating_sub(axes)..].to_vec();
    let all: [&[usize]; 3] = [&shape, &last, &last];
    let given = if r.flag() { 3 } else { 1 };
    r.of(LayerNorm { axes, eps, stats }, &all[..given])
}

pub fn local_response(r: &mut Draws) -> Drawn {
    let (size, before) = (r.count(), r.count());
    let (alpha, beta, k) = (r.number(), r.number(), r.number());
    r.of_image(LocalResponseNorm { size, before, alpha, beta, k })
}

pub fn lp(r: &mut Draws) -> Drawn {
    let (shape, axis) = r.shape_and_axis();
    let p = r.count();
    r.of(LpNormalize { axis, p }, &[&shape])
}

pub fn mean_variance(r: &mut Draws) -> Drawn {
    let shape = r.shape(7);
    let (axes, eps) = (r.some_axes(shape.len()), eps(r));
    r.of(MeanVarianceNormalize { axes, eps }, &[&shape])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::draw::{Source, Values};

    #[test]
    fn a_group_norm_of_too_many_channels_is_drawn() {
        // usize::MAX channels, of which no larger number is a multiple of two groups.
        let bytes = [3, 0, 0, 2, 1, 0, 1, 0, 1, 3, 1, 0];
        let drawn = group(&mut Draws { rng: Source::from(&bytes[..]), wild: true, values: Values::Numbers });
        assert_eq!(drawn.inputs[0].shape[1], usize::MAX);
    }
}

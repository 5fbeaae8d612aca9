//! Normalisation.

use super::{Graph, ValueId};
use crate::attr::{Activation, BinaryKind};
use crate::error::{Error, Result};
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::ops::softmax::Softmax;
use crate::tensor::Tensor;

impl Graph {
    /// Scale and shift of this shape; ones and zeros replace missing ones.
    fn affine(&mut self, shape: &[usize], weight: Option<ValueId>, bias: Option<ValueId>) -> Result<[ValueId; 2]> {
        let mut or = |given: Option<ValueId>, name, value| match given {
            Some(id) => Ok(id),
            None => self.constant(name, Tensor::full(shape, value)),
        };
        Ok([or(weight, "ones", 1.0)?, or(bias, "zeros", 0.0)?])
    }

    /// The inputs of an operator that takes x alone, or with both scale and shift of this shape.
    fn with_affine(
        &mut self,
        x: ValueId,
        shape: &[usize],
        weight: Option<ValueId>,
        bias: Option<ValueId>,
    ) -> Result<Vec<ValueId>> {
        if weight.is_none() && bias.is_none() {
            return Ok(vec![x]);
        }
        let [weight, bias] = self.affine(shape, weight, bias)?;
        Ok(vec![x, weight, bias])
    }

    /// `[n, c, ..]` normalised by given statistics: `(x - mean) / sqrt(var + eps) weight + bias`. Statistics, weight and
    /// bias are `[c]`.
    ///
    /// # Errors
    /// The shapes do not fit each other.
    pub fn batch_norm(
        &mut self,
        x: ValueId,
        [mean, var]: [ValueId; 2],
        weight: Option<ValueId>,
        bias: Option<ValueId>,
        eps: f32,
    ) -> Result<ValueId> {
        let c = self.channels(x)?;
        let [weight, bias] = self.affine(&[c], weight, bias)?;
        self.layer(BatchNorm { eps }, &[x, weight, bias, mean, var])
    }

    /// `[n, c, ..]` normalised with its own statistics; and the new running mean and variance, which are meaningless
    /// without old ones.
    ///
    /// # Errors
    /// The shapes do not fit each other; a channel has one value.
    pub fn batch_norm_training(
        &mut self,
        x: ValueId,
        running: Option<[ValueId; 2]>,
        weight: Option<ValueId>,
        bias: Option<ValueId>,
        momentum: f32,
        eps: f32,
    ) -> Result<[ValueId; 3]> {
        let c = self.channels(x)?;
        let [weight, bias] = self.affine(&[c], weight, bias)?;
        let [mean, var] = match running {
            Some(running) => running,
            None => self.affine(&[c], None, None)?,
        };
        let op = BatchNormTraining { eps, momentum, unbiased: running.is_some() };
        let outputs = self.layer_of_several(op, &[x, weight, bias, mean, var])?;
        Ok([outputs[0], outputs[1], outputs[2]])
    }

    /// Normalised over the last axes. These, weight and bias have this shape.
    ///
    /// # Errors
    /// The shapes do not fit each other.
    pub fn layer_norm(
        &mut self,
        x: ValueId,
        normalized_shape: &[usize],
        weight: Option<ValueId>,
        bias: Option<ValueId>,
        eps: f32,
    ) -> Result<ValueId> {
        if normalized_shape.is_empty() || !self.dims(x)?.ends_with(normalized_shape) {
            let text = format!("layer norm over {normalized_shape:?} is given {:?}", self.shape(x));
            return Err(Error::shape(text));
        }
        let inputs = self.with_affine(x, normalized_shape, weight, bias)?;
        self.layer(LayerNorm { axes: normalized_shape.len(), eps, stats: false }, &inputs)
    }

    /// `[n, c, ..]` normalised over each of `num_groups` groups of channels of each image; weight and bias are `[c]`.
    ///
    /// # Errors
    /// The channels do not split into the groups; weight or bias do not fit.
    pub fn group_norm(
        &mut self,
        x: ValueId,
        num_groups: usize,
        weight: Option<ValueId>,
        bias: Option<ValueId>,
        eps: f32,
    ) -> Result<ValueId> {
        let c = self.channels(x)?;
        let inputs = self.with_affine(x, &[c], weight, bias)?;
        self.layer(GroupNorm { groups: num_groups, eps }, &inputs)
    }

    /// `[n, c, ..]` normalised over each channel of each image; weight and bias are `[c]`.
    ///
    /// # Errors
    /// The input has no channel axis; weight or bias do not fit.
    pub fn instance_norm(
        &mut self,
        x: ValueId,
        weight: Option<ValueId>,
        bias: Option<ValueId>,
        eps: f32,
    ) -> Result<ValueId> {
        let groups = self.channels(x)?;
        self.group_norm(x, groups, weight, bias, eps)
    }

    /// `[n, c, ..]`: `x (k + alpha / size sum of x^2)^-beta`, the sum over `size` neighbouring channels.
    ///
    /// # Errors
    /// The input has no channel axis or is not f32; size is 0; k is not above 0 or alpha below 0.
    pub fn local_response_norm(&mut self, x: ValueId, size: usize, alpha: f32, beta: f32, k: f32) -> Result<ValueId> {
        self.layer(LocalResponseNorm::pytorch(size, alpha, beta, k), &[x])
    }

    /// `x / max(norm, eps)` with the norm of order p along an axis.
    ///
    /// # Errors
    /// The axis is outside the tensor, which must be f32.
    pub fn normalize(&mut self, x: ValueId, p: f32, dim: i64, eps: f32) -> Result<ValueId> {
        let norm = self.norm(x, p, &[dim], true)?;
        let norm = self.activation(norm, Activation::Clamp { min: eps, max: f32::INFINITY })?;
        self.binary(x, norm, BinaryKind::Div)
    }

    /// `e^x` divided by its sum along an axis.
    ///
    /// # Errors
    /// The axis is outside the tensor, which must be f32.
    pub fn softmax(&mut self, x: ValueId, dim: i64) -> Result<ValueId> {
        let axis = crate::shape::axis(dim, self.dims(x)?.len())?;
        self.layer(Softmax { axis, log: false }, &[x])
    }

    /// The logarithm of [`Graph::softmax`].
    ///
    /// # Errors
    /// The axis is outside the tensor, which must be f32.
    pub fn log_softmax(&mut self, x: ValueId, dim: i64) -> Result<ValueId> {
        let axis = crate::shape::axis(dim, self.dims(x)?.len())?;
        self.layer(Softmax { axis, log: true }, &[x])
    }
}

//! `prelu`: a relu whose slope below 0 is a tensor.

use super::binary::{self, Binary};
use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::attr::BinaryKind;
use crate::error::{Error, Result};
use crate::shape::{Desc, broadcast};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html>: `y = x`, or `slope x` up to 0.
///
/// Inputs: x, slope. A slope of one axis with `x.shape[1]` elements lies along axis 1; any other is broadcast to x as
/// in ONNX. (The importer gives a slope along the last axis the rank of x, so that the two cases are distinct.)
#[derive(Clone, Debug)]
pub struct Prelu;

/// The slope's shape, right-aligned with x.
fn slope_shape(x: &[usize], slope: &[usize]) -> Vec<usize> {
    let mut shape = slope.to_vec();
    if slope.len() == 1 && x.len() > 2 && slope[0] == x[1] {
        shape.resize(x.len() - 1, 1);
    }
    shape
}

/// x, and the slope under the shape of [`slope_shape`].
fn aligned(inputs: &[Tensor]) -> Result<[Tensor; 2]> {
    let slope = inputs[1].reshape(slope_shape(inputs[0].shape(), inputs[1].shape()))?;
    Ok([inputs[0].clone(), slope])
}

impl Op for Prelu {
    built_in!("prelu");
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 2..=2)?;
        let (x, slope) = (&inputs[0], &inputs[1]);
        if !broadcast(&x.shape, &slope_shape(&x.shape, &slope.shape)).is_ok_and(|shape| shape == x.shape) {
            return Err(Error::shape(format!("the slope {:?} does not fit the input {:?}", slope.shape, x.shape)));
        }
        Ok(vec![x.clone()])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [x, slope] = aligned(inputs)?;
        Binary(BinaryKind::Prelu).reference(&[x, slope])
    }
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Binary(BinaryKind::Prelu).bounds(&aligned(inputs)?, outputs)
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        binary::launches(site, BinaryKind::Prelu, &slope_shape(&site.inputs[0].shape, &site.inputs[1].shape))
    }
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        outputs[0].numel() as u64
    }
}

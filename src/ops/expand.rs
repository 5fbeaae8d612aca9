//! `expand`: a tensor repeated along its axes of extent 1.

use super::strided::copy;
use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::reference::elements;
use crate::shape::{Desc, broadcast, broadcast_strides};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html>, of any type.
#[derive(Clone, Debug)]
pub struct Expand {
    /// The shape of the output. ONNX's bidirectional rule is resolved before: this is the broadcast of the input's
    /// shape and the requested one.
    pub shape: Vec<usize>,
}

impl Op for Expand {
    built_in!("expand": shape);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        if broadcast(&inputs[0].shape, &self.shape)? != self.shape {
            return Err(Error::shape(format!("{} does not expand to {:?}", inputs[0], self.shape)));
        }
        Ok(vec![Desc::new(self.shape.clone(), inputs[0].dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![elements::broadcast(&inputs[0], &self.shape)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let strides = broadcast_strides(&site.inputs[0].shape, &self.shape);
        copy(site, &self.shape, strides.into_iter().map(|s| s as isize).collect(), 0)
    }
}

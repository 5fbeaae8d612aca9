//! `reshape`: the same elements under another shape. On a device it is a view, not a copy.

use super::{Op, Site, Variant, built_in, moves_elements};
use crate::error::{Error, Result};
use crate::shape::{Desc, checked_numel};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.reshape.html>, the shape already resolved (no -1).
#[derive(Clone, Debug)]
pub struct Reshape {
    /// The shape of the output.
    pub shape: Vec<usize>,
}

impl Op for Reshape {
    built_in!("reshape": shape; VIEW);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        super::expect_inputs(self, inputs, 1..=1)?;
        if checked_numel(&self.shape) != Some(inputs[0].numel()) {
            return Err(Error::shape(format!("{} cannot be reshaped to {:?}", inputs[0], self.shape)));
        }
        Ok(vec![Desc::new(self.shape.clone(), inputs[0].dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].reshape(self.shape.clone())?])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        Ok(vec![Variant::row_major(site, vec![])])
    }
}

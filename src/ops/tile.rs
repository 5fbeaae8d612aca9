//! `tile`: repeats a whole tensor along its axes.

use super::strided::copy;
use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::reference::elements;
use crate::shape::{Desc, strides};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.tile.html>, of any type. On a device at most 8 axes, where a
/// repeated axis counts twice and adjacent axes that are not repeated count once.
#[derive(Clone, Debug)]
pub struct Tile {
    /// The number of repetitions along every axis.
    pub repeats: Vec<usize>,
}

impl Tile {
    /// Axis d repeated r times is an axis of extent r and stride 0 before it.
    fn walk(&self, shape: &[usize]) -> (Vec<usize>, Vec<isize>) {
        let dims = self.repeats.iter().zip(shape).flat_map(|(&r, &d)| [r, d]);
        (dims.collect(), strides(shape).into_iter().flat_map(|s| [0, s as isize]).collect())
    }
}

impl Op for Tile {
    built_in!("tile": repeats);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if self.repeats.len() != x.rank() {
            return Err(Error::argument(format!("tile of {x} needs {} repeats, has {:?}", x.rank(), self.repeats)));
        }
        let shape: Option<Vec<_>> = x.shape.iter().zip(&self.repeats).map(|(&d, &r)| d.checked_mul(r)).collect();
        let shape = shape.ok_or_else(|| Error::argument(format!("{:?} repeats of {x} overflow", self.repeats)))?;
        Ok(vec![Desc::new(shape, x.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let shape: Vec<_> = x.shape().iter().zip(&self.repeats).map(|(d, r)| d * r).collect();
        let (dims, strides) = self.walk(x.shape());
        Ok(vec![elements::strided(x, &dims, &strides, 0).reshape(shape)?])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let (dims, strides) = self.walk(&site.inputs[0].shape);
        copy(site, &dims, strides, 0)
    }
}

//! `split`: splits a tensor into parts along an axis.

use super::rows::{Piece, copies};
use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::launch::Arg;
use crate::reference;
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.split.html>, of a tensor of any type.
#[derive(Clone, Debug)]
pub struct Split {
    /// The axis that is split.
    pub axis: usize,
    /// The extent of every part; their sum is the extent of the axis.
    pub sizes: Vec<usize>,
}

impl Op for Split {
    built_in!("split": axis, sizes);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if self.axis >= x.rank() {
            return Err(Error::argument(format!("axis {} is outside a tensor of rank {}", self.axis, x.rank())));
        }
        let total = self.sizes.iter().try_fold(0usize, |a, &b| a.checked_add(b));
        if self.sizes.is_empty() || total != Some(x.shape[self.axis]) {
            let text =
                format!("the parts {:?} do not add up to the {} of axis {}", self.sizes, x.shape[self.axis], self.axis);
            return Err(Error::shape(text));
        }
        let part = |&size: &usize| {
            let mut d = x.clone();
            d.shape[self.axis] = size;
            d
        };
        Ok(self.sizes.iter().map(part).collect())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(reference::concat::split(&inputs[0], self.axis, &self.sizes))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let last = self.sizes.len() - 1;
        let whole_blocks = self.sizes[..last].iter().all(|s| s.is_multiple_of(4));
        let variant = |layout: Layout| {
            let mut first = 0;
            let mut run = vec![];
            for (k, part) in site.outputs.iter().enumerate() {
                let piece = Piece { whole: &site.inputs[0], part, axis: self.axis, first };
                run.extend(copies(piece, layout, Arg::Input(0), Arg::Output(k), false));
                first += part.shape[self.axis];
            }
            Variant::in_layout(site, layout, run)
        };
        Ok(super::rows::alternatives(site, self.axis, whole_blocks, variant))
    }
}

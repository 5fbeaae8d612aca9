//! `permute`: reorders axes.

use super::strided::copy;
use super::{Op, Privileges, Seal, Site, Variant, expect_inputs, moves_elements, told};
use crate::error::{Error, Result};
use crate::reference::elements;
use crate::shape::{Desc, strides};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.permute.html>, of any type.
///
/// Where [`Permute::only_moves_ones`] holds, a reshape does the same without a copy.
#[derive(Clone, Debug)]
pub struct Permute {
    /// Output axis i is input axis `order[i]`.
    pub order: Vec<usize>,
}

impl Permute {
    fn is_order_of(&self, rank: usize) -> bool {
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        sorted.into_iter().eq(0..rank)
    }

    /// The strides of an input of this shape along the axes of the output.
    fn strides(&self, shape: &[usize]) -> Vec<isize> {
        let own = strides(shape);
        self.order.iter().map(|&axis| own[axis] as isize).collect()
    }

    /// Whether the elements of an input of this shape keep their order: only axes of extent 1 move.
    pub fn only_moves_ones(&self, shape: &[usize]) -> bool {
        self.is_order_of(shape.len()) && self.order.iter().filter(|&&axis| shape[axis] != 1).is_sorted()
    }
}

impl Op for Permute {
    moves_elements!();
    told!({ order });
    fn privileges(&self, _: Seal) -> Privileges {
        // For any shape. The graph's builder makes a reshape of an order that only moves axes of extent 1.
        if self.order.is_sorted() { Privileges::VIEW } else { Privileges::BUILT_IN }
    }
    fn name(&self) -> &'static str {
        "permute"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if !self.is_order_of(x.rank()) {
            return Err(Error::argument(format!(
                "{:?} is not a permutation of the {} axes of {x}",
                self.order,
                x.rank()
            )));
        }
        let shape: Vec<_> = self.order.iter().map(|&axis| x.shape[axis]).collect();
        Ok(vec![Desc::new(shape, x.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape: Vec<_> = self.order.iter().map(|&axis| inputs[0].shape()[axis]).collect();
        Ok(vec![elements::strided(&inputs[0], &shape, &self.strides(inputs[0].shape()), 0)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        copy(site, &site.outputs[0].shape, self.strides(&site.inputs[0].shape), 0)
    }
}

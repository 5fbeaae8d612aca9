//! `concat`: concatenates tensors along an axis.

use super::rows::{Piece, copies};
use super::{Op, Site, Variant, built_in, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::launch::{Arg, Slot};
use crate::reference;
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

/// <https://docs.pytorch.org/docs/stable/generated/torch.cat.html>, of any number of tensors of one type.
#[derive(Clone, Debug)]
pub struct Concat {
    /// The axis along which they are concatenated.
    pub axis: usize,
}

impl Op for Concat {
    built_in!("concat": axis);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        let Some(first) = inputs.first() else { return Err(Error::shape("concat takes at least 1 input")) };
        if self.axis >= first.rank() {
            return Err(Error::argument(format!("axis {} is outside a tensor of rank {}", self.axis, first.rank())));
        }
        let mut out = first.clone();
        for d in &inputs[1..] {
            let fits = d.dtype == first.dtype && d.rank() == first.rank();
            if !fits || (0..d.rank()).any(|i| i != self.axis && d.shape[i] != first.shape[i]) {
                return Err(Error::shape(format!("{d} cannot be concatenated with {first} along axis {}", self.axis)));
            }
            out.shape[self.axis] += d.shape[self.axis];
        }
        Ok(vec![out])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![reference::concat::concat(inputs, self.axis)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let last = site.inputs.len() - 1;
        let whole_blocks = site.inputs[..last].iter().all(|d| d.shape.get(1).is_some_and(|c| c.is_multiple_of(4)));
        let variant = |layout| {
            let whole = &site.outputs[0];
            let mut first = 0;
            let mut variant = Variant::in_layout(site, layout, vec![]);
            for (input, part) in site.inputs.iter().enumerate() {
                let piece = Piece { whole, part, axis: self.axis, first };
                if let Some(mut copy) = copies(piece, layout, Arg::Input(input), Arg::Output(0), true) {
                    if layout == Layout::ChannelsLast && self.axis == 1 {
                        let [pitch, first] = [whole.shape[1].div_ceil(4), first / 4].map(|blocks| blocks as u32);
                        copy.copies_to = Some(Slot { pitch, first });
                    }
                    variant.run.push(copy);
                }
                first += part.shape[self.axis];
            }
            variant
        };
        Ok(super::rows::alternatives(site, self.axis, whole_blocks, variant))
    }
}

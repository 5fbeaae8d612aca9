//! `from_bytes`: a tensor of 8 bits per element, of which a device gets the bytes and makes words.

use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, params};
use crate::gpu::pieces::FLAT;
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

static FROM_BYTES: Kernel = kernel!("from_bytes", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&FROM_BYTES];

/// Integers of 8 bits, or booleans, from their bytes.
///
/// Input: u32 `[words]`, four elements in each, the first the lowest byte. Output: `desc`, of i8, u8 or bool, whose elements
/// begin with the first byte; a device has 4 bytes for each.
#[derive(Clone, Debug, PartialEq)]
pub struct FromBytes {
    /// Shape and type of the output.
    pub desc: Desc,
}

impl Op for FromBytes {
    built_in!("from_bytes": desc);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let words = Desc::new([self.desc.numel().div_ceil(4)], DType::U32);
        match self.desc.dtype {
            DType::I8 | DType::U8 | DType::Bool if inputs[0] == words => Ok(vec![self.desc.clone()]),
            _ => Err(Error::shape(format!("the bytes of {} are {words}, not {}", self.desc, inputs[0]))),
        }
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let bytes = inputs[0].as_slice::<u32>()?.iter().flat_map(|word| word.to_le_bytes()).take(self.desc.numel());
        let shape = self.desc.shape.clone();
        Ok(vec![match self.desc.dtype {
            DType::I8 => Tensor::of(shape, bytes.map(|b| b as i8).collect::<Vec<_>>()),
            DType::Bool => Tensor::of(shape, bytes.map(|b| b != 0).collect::<Vec<_>>()),
            _ => Tensor::of(shape, bytes.collect::<Vec<_>>()),
        }])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let words = site.inputs[0].numel();
        let launch =
            Launch::flat(&FROM_BYTES, words, params!(words)).set("SIGNED", u8::from(self.desc.dtype == DType::I8));
        Ok(vec![Variant::single(site, launch)])
    }
}

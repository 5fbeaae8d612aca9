//! `gather`: entries of a tensor along an axis, chosen by a tensor of indices.

use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, params};
use crate::gpu::pieces::FLAT;
use crate::reference::elements;
use crate::shape::{DType, Desc, numel};
use crate::tensor::Tensor;

static GATHER: Kernel = kernel!("gather", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&GATHER];

/// <https://onnx.ai/onnx/operators/onnx__Gather.html> (PyTorch's `index_select`, with indices of any shape).
///
/// Inputs: x of any type, indices (i64 or i32, negative ones count from the end). The axes of the indices replace the
/// axis. An index outside the axis is an error on the reference; a device cannot report it and clamps it: sessions check what
/// reaches it (`graph::guard`).
#[derive(Clone, Debug)]
pub struct Gather {
    /// The axis along which entries are chosen.
    pub axis: usize,
}

impl Op for Gather {
    built_in!("gather": axis; INDEXED);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 2..=2)?;
        let (x, indices) = (&inputs[0], &inputs[1]);
        if self.axis >= x.rank() {
            return Err(Error::argument(format!("axis {} is outside a tensor of rank {}", self.axis, x.rank())));
        }
        if !matches!(indices.dtype, DType::I32 | DType::I64) {
            return Err(Error::shape(format!("indices must be integers, are {}", indices.dtype)));
        }
        if x.shape[self.axis] == 0 && indices.numel() > 0 {
            return Err(Error::shape(format!("axis {} of {x} has no entries", self.axis)));
        }
        let shape = [&x.shape[..self.axis], &indices.shape, &x.shape[self.axis + 1..]].concat();
        Ok(vec![Desc::new(shape, x.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, axis) = (&inputs[0], self.axis);
        let extent = x.shape()[axis];
        let mut chosen = vec![];
        for index in inputs[1].to_i64s()? {
            let at = crate::shape::axis(index, extent);
            chosen.push(at.map_err(|_| Error::argument(format!("index {index} is outside an axis of {extent}")))?);
        }
        let shape = [&x.shape()[..axis], inputs[1].shape(), &x.shape()[axis + 1..]].concat();
        let (picks, run) = (chosen.len(), numel(&x.shape()[axis + 1..]));
        let source = |i: usize| (i / picks * extent + chosen[i % picks]) * run;
        Ok(vec![elements::pick(x, &shape, run, source)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0].shape;
        let (extent, inner) = (x[self.axis], numel(&x[self.axis + 1..]));
        let (picks, count) = (site.inputs[1].numel(), site.outputs[0].numel());
        let launch = Launch::flat(&GATHER, count, params!(count, extent, picks, inner));
        Ok(vec![Variant::single(site, launch)])
    }
}

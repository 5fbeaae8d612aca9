//! `where`: elements of one tensor or of another, chosen by a boolean tensor.

use super::strided::Walk;
use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::Launch;
use crate::gpu::pieces::{FLAT, STRIDED};
use crate::reference::{concat, elements};
use crate::shape::{DType, Desc, broadcast};
use crate::tensor::Tensor;

static SELECT: Kernel = kernel!("select", STRIDED, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&SELECT];

/// <https://docs.pytorch.org/docs/stable/generated/torch.where.html>. Inputs: condition (boolean), a, b of one type, all
/// broadcast together.
#[derive(Clone, Debug)]
pub struct Where;

impl Op for Where {
    built_in!("where");
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 3..=3)?;
        let (cond, a, b) = (&inputs[0], &inputs[1], &inputs[2]);
        if cond.dtype != DType::Bool || a.dtype != b.dtype {
            return Err(Error::shape("where takes a boolean condition and two tensors of one type"));
        }
        Ok(vec![Desc::new(broadcast(&broadcast(&cond.shape, &a.shape)?, &b.shape)?, a.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = self.outputs(&inputs.iter().map(Tensor::desc).collect::<Vec<_>>())?.remove(0).shape;
        let [cond, a, b] = [0, 1, 2].map(|k| elements::broadcast(&inputs[k], &shape));
        let (cond, count) = (cond.to_i64s()?, a.numel());
        let both = concat::join(&[a, b]);
        Ok(vec![elements::pick(&both, &shape, 1, |i| if cond[i] != 0 { i } else { count + i })])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let y = &site.outputs[0];
        let shapes: Vec<&[usize]> = site.inputs.iter().map(|d| &d.shape[..]).collect();
        let walk = Walk::broadcast(&y.shape, &shapes);
        let params = walk.params(y.numel(), 0)?;
        let launch = Launch::flat(&SELECT, y.numel(), params).set("RANK", walk.rank() as u32);
        Ok(vec![Variant::single(site, launch)])
    }
}

//! Tangent, the inverse functions of angles, hyperbolic functions and their inverses ([`Trigonometric`] lists them).

use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::attr::{Coded, Trigonometric};
use crate::error::Result;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, params};
use crate::gpu::pieces::{FLAT, TRIGONOMETRY};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

static KERNEL: Kernel = kernel!("trigonometry", TRIGONOMETRY, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&KERNEL];

/// `y = f(x)`, any shape; NaN outside the domain of f.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigonometry(pub Trigonometric);

impl Op for Trigonometry {
    built_in!((function));
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        Ok(vec![inputs[0].clone()])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].map(|x| self.0.eval(x))])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![inputs[0].f32s().iter().map(|&x| self.0.bound(x.into()) as f32).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count4 = site.inputs[0].bytes(Layout::RowMajor) / 16;
        let launch = Launch::flat(&KERNEL, count4, params!(count4, zero: 0u32)).set("FUNCTION", self.0.code());
        Ok(vec![Variant::single(site, launch)])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

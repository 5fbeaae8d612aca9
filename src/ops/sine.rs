//! `sin` and `cos` of any angle.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::bound::sine::bound;
use crate::error::Result;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, params};
use crate::gpu::pieces::{FLAT, TURNS};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

static SINE: Kernel = kernel!("sine", TURNS, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&SINE];

/// `sin x` or `cos x`, any shape; NaN if x is not finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Sine {
    /// Whether it is the cosine.
    pub cosine: bool,
}

impl Op for Sine {
    built_in!(cosine);
    fn name(&self) -> &'static str {
        if self.cosine { "cos" } else { "sin" }
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        Ok(vec![inputs[0].clone()])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let f = if self.cosine { f64::cos } else { f64::sin };
        Ok(vec![inputs[0].map(f)])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![inputs[0].f32s().iter().map(|&x| bound(x.into()) as f32).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count4 = site.inputs[0].bytes(Layout::RowMajor) / 16;
        let launch = Launch::flat(&SINE, count4, params!(count4, zero: 0u32)).set("COSINE", u8::from(self.cosine));
        Ok(vec![Variant::single(site, launch)])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

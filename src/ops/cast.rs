//! `cast`: converts elements to another type.

use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::attr::Coded;
use crate::bound::UNIT;
use crate::error::Result;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::{FLAT, INTEGER, NAN};
use crate::shape::{DType, Desc, Layout};
use crate::tensor::Tensor;

static CAST: Kernel = kernel!("cast", NAN, INTEGER, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&CAST];

/// <https://onnx.ai/onnx/operators/onnx__Cast.html>
///
/// Floats are rounded to the nearest, and are infinite beyond the range of a narrower type. A float becomes an integer by
/// truncation to 32 bits (64 for i64), of which a narrower integer keeps the low bits; beyond that range it is the nearest
/// integer, NaN is 0 (ONNX leaves these open). An integer keeps the low bits that a narrower one has. Whatever is not 0 is true.
///
/// A graph computes in f32: a cast to f16 or bf16 gives the f32 that is the nearest number of that type.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The type to give.
    pub to: DType,
}

impl Op for Cast {
    built_in!("cast": to);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        Ok(vec![Desc::new(inputs[0].shape.clone(), self.to.computed())])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let to = self.to.computed();
        let y = inputs[0].to_dtype(to);
        Ok(vec![if to == self.to { y } else { y.to_dtype(self.to).to_dtype(to) }])
    }
    /// An integer of more than 24 bits may become either neighbouring f32; all else is exact.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        if !self.to.is_float() || inputs[0].dtype().is_float() {
            return Ok(Some(crate::bound::exact(outputs)));
        }
        // Integers of more than 24 bits are infinite in f16.
        let unit = if self.to == DType::BF16 { 1.0 / 128.0 } else { UNIT };
        let rounding = |y: &f64| if y.abs() < 1.0 / UNIT { 0.0 } else { (unit * y.abs()) as f32 };
        Ok(Some(vec![outputs[0].to_f64s().iter().map(rounding).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let desc = &site.inputs[0];
        let variant = |layout: Layout| {
            let count4 = desc.bytes(layout) / 16;
            let launch = Launch::flat(&CAST, count4, params!(count4))
                .set("FROM", desc.dtype.code())
                .set("TO", self.to.code())
                .set("ROUND_TO", Coded::code(&self.to))
                .reads([Arg::Input(0)])
                .writes([Arg::Output(0)]);
            Variant::in_layout(site, layout, vec![launch])
        };
        Ok(vec![variant(site.layouts[0])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

//! `cast`: converts elements to another type.

use super::{Op, Site, Variant, built_in, expect_inputs};
use crate::error::Result;
use crate::gpu::kernel::{Arg, INDEX, Kernel, Launch, kernel, params};
use crate::reference::UNIT;
use crate::shape::{DType, Desc, Layout};
use crate::tensor::{Data, Tensor};

static CAST: Kernel = kernel!("cast", INDEX);

pub(super) const KERNELS: &[&Kernel] = &[&CAST];

/// <https://onnx.ai/onnx/operators/onnx__Cast.html>
///
/// A float is truncated to an integer; beyond the range of the type it becomes the nearest integer of the type, and NaN
/// becomes 0 (ONNX defines neither). An i64 on a device has the range of 32 bits. Every number but 0 is true.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The target type.
    pub to: DType,
}

/// The numbers of `FROM` and `TO` in `shaders/cast.wgsl`.
fn code(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => 0,
        DType::I32 | DType::I64 => 1,
        DType::Bool => 2,
    }
}

impl Op for Cast {
    built_in!();
    fn name(&self) -> &'static str {
        "cast"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        Ok(vec![Desc::new(inputs[0].shape.clone(), self.to)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        if self.to == DType::Bool {
            return Ok(vec![Tensor::of(x.shape(), x.to_f64s().iter().map(|&v| v != 0.0).collect::<Vec<_>>())]);
        }
        macro_rules! convert {
            ($from:expr, $to:ty) => {
                $from.iter().map(|&v| v as $to).collect::<Vec<$to>>().into()
            };
        }
        let data: Data = match (x.data(), self.to) {
            (Data::F32(v), DType::I32) => convert!(v, i32),
            (Data::F32(v), DType::I64) => convert!(v, i64),
            (Data::F32(v), _) => convert!(v, f32),
            (_, DType::F32) => convert!(x.to_i64s()?, f32),
            (_, DType::I32) => convert!(x.to_i64s()?, i32),
            (_, _) => convert!(x.to_i64s()?, i64),
        };
        Ok(vec![Tensor::of(x.shape(), data)])
    }
    /// An integer beyond 2^24 may be rounded to either neighbouring f32; all else is exact.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        if self.to != DType::F32 || inputs[0].dtype() == DType::F32 {
            return Ok(super::strided::exact(outputs));
        }
        let rounding = |&y: &f32| if y.abs() < 1.0 / UNIT as f32 { 0.0 } else { UNIT as f32 * y.abs() };
        Ok(vec![outputs[0].f32s().iter().map(rounding).collect()])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let desc = &site.inputs[0];
        let way = |layout: Layout| {
            let count4 = desc.bytes(layout) / 16;
            let launch = Launch::flat(&CAST, count4, params!(count4))
                .set("FROM", code(desc.dtype))
                .set("TO", code(self.to))
                .reads([Arg::Input(0)])
                .writes([Arg::Output(0)]);
            Variant::in_layout(site, layout, vec![launch])
        };
        Ok(vec![way(site.layouts[0])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

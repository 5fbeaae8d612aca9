//! Element-wise functions of one tensor: relu, gelu, exp, ... ([`Activation`] lists them).

use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::attr::{Activation, Coded};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::{ACTIVATION, STREAM};
use crate::parallel;
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

static UNARY: Kernel = kernel!("unary", ACTIVATION, STREAM).floats();

pub(super) const KERNELS: &[&Kernel] = &[&UNARY];

/// `y = f(x)`, any shape.
#[derive(Clone, Debug)]
pub struct Unary(pub Activation);

impl Op for Unary {
    built_in!((function));
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        if !inputs[0].dtype.is_computed_float() {
            return Err(Error::unsupported(format!("{} of {} (f32 and f64 only)", self.name(), inputs[0])));
        }
        Ok(vec![inputs[0].clone()])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].map(|x| self.0.eval(x))])
    }
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        let (x, y) = (inputs[0].to_f64s(), outputs[0].to_f64s());
        Ok(Some(vec![parallel::collect(y.len(), |i| self.0.bound(x[i], y[i]) as f32)]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let desc = &site.inputs[0];
        let layout = site.layouts[0];
        let (c, c4) = match layout {
            Layout::RowMajor => (0, 1),
            Layout::ChannelsLast => (desc.shape[1], desc.shape[1].div_ceil(4)),
        };
        let count4 = desc.bytes(layout) / 16;
        let (act, [act_a, act_b, act_c]) = (self.0.code(), self.0.params());
        let launch = Launch::stream(&UNARY, count4, params!(count4, c, c4, act_a, act_b, act_c))
            .set("ACT", act)
            .set("PADDED", u8::from(!c.is_multiple_of(4)))
            .reads([Arg::Input(0)])
            .writes([Arg::Output(0)]);
        Ok(vec![Variant::in_layout(site, layout, vec![launch])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

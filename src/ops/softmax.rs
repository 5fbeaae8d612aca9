//! `softmax`, `log_softmax`: values along an axis as shares of a whole.

use rayon::prelude::*;

use super::{Op, Site, Variant, built_in, expect_inputs};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Arg, INDEX, Kernel, Launch, SOFTMAX, folded, kernel, nested, params};
use crate::reference::softmax;
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

static SERIAL: Kernel = kernel!("softmax", INDEX, SOFTMAX);
static ROWS: Kernel = kernel!("softmax_rows4", INDEX, SOFTMAX);
static TREE: Kernel = kernel!("softmax_tree", INDEX, SOFTMAX);

pub(super) const KERNELS: &[&Kernel] = &[&SERIAL, &ROWS, &TREE];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html>
///
/// `y = exp(x) / sum of exp(x) along the axis`, or its logarithm; any shape. -inf gives a share of 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// The axis along which the values sum up to 1.
    pub axis: usize,
    /// The logarithm of the shares instead.
    pub log: bool,
}

/// The longest set that one invocation computes.
const LONGEST_SERIAL: usize = 1 << 14;

/// Who computes a set of values.
enum Way {
    /// One invocation.
    Serial,
    /// 8 invocations: many sets of neighbours, none very long.
    Rows,
    /// A workgroup: long sets, of neighbours or too few to fill a device.
    Tree,
}

impl Softmax {
    /// The shape seen as `[outer, n, inner]`.
    fn extents(&self, shape: &[usize]) -> [usize; 3] {
        let inner = shape[self.axis + 1..].iter().product();
        [shape[..self.axis].iter().product(), shape[self.axis], inner]
    }

    /// By the shape alone.
    fn way(&self, shape: &[usize]) -> Way {
        let [outer, n, inner] = self.extents(shape);
        match () {
            () if inner == 1 && outer >= 16 && n.is_multiple_of(4) && (32..=4096).contains(&n) => Way::Rows,
            () if n >= 64 && (inner == 1 || outer * inner < 1024) || n > LONGEST_SERIAL => Way::Tree,
            () => Way::Serial,
        }
    }

    /// Additions one after the other: all; or the vec4s of one invocation, 2 in a vec4 and 3 levels; or those of one
    /// invocation and 8 levels.
    fn depth(&self, shape: &[usize]) -> usize {
        let n = shape[self.axis];
        match self.way(shape) {
            Way::Serial => n,
            Way::Rows => n.div_ceil(32) + 2 + 3,
            Way::Tree => n.div_ceil(256) + 8,
        }
    }

    /// Applies `f` to every set of values along the axis.
    fn along(&self, x: &Tensor, f: impl Fn(&[f64]) -> Vec<f64> + Sync) -> Vec<f32> {
        let [outer, n, inner] = self.extents(x.shape());
        let data = x.f32s();
        let set = |s: usize| {
            let at = |k| f64::from(data[(s / inner * n + k) * inner + s % inner]);
            f(&(0..n).map(at).collect::<Vec<_>>())
        };
        let sets: Vec<_> = (0..outer * inner).into_par_iter().map(set).collect();
        let mut out = vec![0.0; data.len()];
        for (s, values) in sets.iter().enumerate() {
            for (k, &v) in values.iter().enumerate() {
                out[(s / inner * n + k) * inner + s % inner] = v as f32;
            }
        }
        out
    }
}

impl Op for Softmax {
    built_in!();
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if x.dtype != DType::F32 {
            return Err(Error::unsupported(format!("{} of {x} (f32 only)", self.name())));
        }
        if self.axis >= x.rank() {
            return Err(Error::argument(format!("axis {} is outside {x}", self.axis)));
        }
        Ok(vec![x.clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        Ok(vec![Tensor::of(x.shape(), self.along(x, |set| softmax::softmax(set, self.log)))])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        let x = &inputs[0];
        let depth = self.depth(x.shape());
        Ok(vec![self.along(x, |set| softmax::bounds(set, self.log, depth))])
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let shape = &site.inputs[0].shape;
        let [outer, n, inner] = self.extents(shape);
        let params = params!(outer, n, inner, lowest: f32::NEG_INFINITY, nan: f32::NAN);
        let launch = match self.way(shape) {
            Way::Serial => Launch::flat(&SERIAL, outer * inner, params).iterations(3 * nested(&[n])),
            Way::Rows => {
                Launch::grid(&ROWS, folded(outer.div_ceil(8)), params).iterations(3 * nested(&[n.div_ceil(32)]))
            }
            Way::Tree => Launch::grid(&TREE, folded(outer * inner), params).iterations(3 * nested(&[n.div_ceil(256)])),
        };
        let launch = launch.set("LOG", u8::from(self.log)).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }

    /// A difference, an exponential, an addition and a division.
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        4 * inputs[0].numel() as u64
    }
}

//! `det`: the determinants of square matrices.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{FLAT, NAN, SCALED};
use crate::reference::det::{det, matrices};
use crate::shape::{Desc, numel};
use crate::tensor::Tensor;

static DET: Kernel = kernel!("det", NAN, SCALED, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&DET];

/// The largest matrices: an invocation has one of them, and with partial pivoting the bound doubles with every row.
const MOST: usize = 32;

/// <https://docs.pytorch.org/docs/stable/generated/torch.linalg.det.html>, and <https://onnx.ai/onnx/operators/onnx__Det.html>
///
/// Input: x `[.., n, n]`, n at most 32. Output `[..]`: by elimination with partial pivoting. The determinant of no row is 1, and
/// a NaN in a matrix gives NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Det;

impl Op for Det {
    built_in!("det");
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let [lead @ .., rows, columns] = &inputs[0].shape[..] else {
            return Err(Error::shape(format!("the input must be [.., n, n], not {:?}", inputs[0].shape)));
        };
        if rows != columns {
            return Err(Error::shape(format!("a matrix of {rows} x {columns} has no determinant")));
        }
        if *rows > MOST {
            return Err(Error::unsupported(format!(
                "the determinant of {rows} x {rows} numbers (at most {MOST} x {MOST})"
            )));
        }
        Ok(vec![Desc::f32(lead)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let y = matrices(x.f32s(), x.shape(), |matrix, n| det(matrix, n) as f32);
        Ok(vec![Tensor::of(&x.shape()[..x.shape().len() - 2], y)])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![matrices(inputs[0].f32s(), inputs[0].shape(), bound::det::bound)]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        let (count, n) = (site.outputs[0].numel(), x.shape[x.rank() - 1]);
        let launch = Launch::flat(&DET, count, params!(count, n));
        // The copy; and for every column the search, the exchange, and the rows.
        let columns = nested(&[n, n]) + nested(&[n, n]) + nested(&[n, n, n]);
        let launch = launch.iterations(nested(&[n * n]) + columns);
        let launch = launch.reads([Arg::Input(0)]).writes([Arg::Scratch(0), Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch]).with_scratch(4 * x.numel())])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        let n = inputs[0].shape.last().copied().unwrap_or(0);
        (numel(&inputs[0].shape) * n * 2 / 3) as u64
    }
}

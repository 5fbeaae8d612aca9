//! `matmul`: products of matrices, both known only at run time. A linear layer with constant weights is a convolution.

use super::rows8::Rows8;
use super::strided::Walk;
use super::{Alternative, Op, Site, expect_inputs};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Arg, INDEX, Kernel, Launch, MATMUL, MATMUL4, ROWS8, kernel, params};
use crate::reference::{self, TINY, gamma};
use crate::shape::{DType, Desc, broadcast, broadcast_strides, numel, unravel};
use crate::tensor::Tensor;

static NAIVE: Kernel = kernel!("matmul", INDEX, MATMUL);
static TILED: Kernel = kernel!("matmul_tiled", INDEX, MATMUL, MATMUL4);
static SUBGROUP8: Kernel = kernel!("matmul_subgroup8", INDEX, MATMUL, MATMUL4, ROWS8);

pub(super) const KERNELS: &[&Kernel] = &[&NAIVE, &TILED, &SUBGROUP8];

/// <https://docs.pytorch.org/docs/stable/generated/torch.matmul.html>: `[.., m, k]` by `[.., k, n]`, leading axes broadcast.
/// An input of one axis is a row on the left, a column on the right, and its axis is left out of the result.
#[derive(Clone, Debug)]
pub struct MatMul;

/// The product as batches of matrices.
struct Sizes {
    /// Leading axes of a, of b, of both.
    a_batch: Vec<usize>,
    b_batch: Vec<usize>,
    batch: Vec<usize>,
    m: usize,
    k: usize,
    n: usize,
    /// The shape of the result.
    shape: Vec<usize>,
}

impl Sizes {
    fn new(a: &[usize], b: &[usize]) -> Result<Sizes> {
        let misfit = || Error::shape(format!("the matrices {a:?} and {b:?} do not fit"));
        let (a_batch, m, k) = match a {
            [] => return Err(misfit()),
            [k] => (vec![], 1, *k),
            [batch @ .., m, k] => (batch.to_vec(), *m, *k),
        };
        let (b_batch, bk, n) = match b {
            [] => return Err(misfit()),
            [k] => (vec![], *k, 1),
            [batch @ .., k, n] => (batch.to_vec(), *k, *n),
        };
        if bk != k {
            return Err(misfit());
        }
        let batch = broadcast(&a_batch, &b_batch)?;
        let mut shape = batch.clone();
        shape.extend((a.len() > 1).then_some(m));
        shape.extend((b.len() > 1).then_some(n));
        Ok(Sizes { a_batch, b_batch, batch, m, k, n, shape })
    }

    fn evaluate(&self, a: &[f32], b: &[f32]) -> Vec<f64> {
        let (m, k, n) = (self.m, self.k, self.n);
        let mut y = vec![0.0; numel(&self.shape)];
        let (sa, sb) = (broadcast_strides(&self.a_batch, &self.batch), broadcast_strides(&self.b_batch, &self.batch));
        for (z, y) in y.chunks_mut((m * n).max(1)).enumerate() {
            let index = unravel(z, &self.batch);
            let matrix = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
            reference::matmul::matmul(&a[matrix(&sa) * m * k..], &b[matrix(&sb) * k * n..], k, n, y);
        }
        y
    }

    /// One matrix b for all of a: the batch of a is more rows.
    fn with_batch_as_rows(mut self) -> Sizes {
        if numel(&self.b_batch) == 1 {
            self.m *= numel(&self.a_batch);
            (self.a_batch, self.b_batch, self.batch) = (vec![], vec![], vec![]);
        }
        self
    }
}

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 2..=2)?;
        if let Some(d) = inputs.iter().find(|d| d.dtype != DType::F32) {
            return Err(Error::unsupported(format!("matmul of {d} (f32 only)")));
        }
        Ok(vec![Desc::f32(Sizes::new(&inputs[0].shape, &inputs[1].shape)?.shape)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let s = Sizes::new(inputs[0].shape(), inputs[1].shape())?;
        let y = s.evaluate(inputs[0].f32s(), inputs[1].f32s());
        Ok(vec![Tensor::of(s.shape, y.into_iter().map(|v| v as f32).collect::<Vec<_>>())])
    }
    /// |error| <= gamma_k sum |a| |b| for any order of the k products (Higham 3.1).
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        let s = Sizes::new(inputs[0].shape(), inputs[1].shape())?;
        let sums = s.evaluate(inputs[0].map(f32::abs).f32s(), inputs[1].map(f32::abs).f32s());
        Ok(vec![sums.into_iter().map(|v| (v * gamma(s.k) + TINY) as f32).collect()])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Alternative>> {
        let s = Sizes::new(&site.inputs[0].shape, &site.inputs[1].shape)?.with_batch_as_rows();
        let (batch, m, k, n) = (numel(&s.batch), s.m, s.k, s.n);
        let walk = Walk::broadcast(&s.batch, &[&s.a_batch, &s.b_batch]);
        let params = walk.params(
            params!(batch, m, k, n),
            ["d0", "d1", "d2", "d3"],
            &[["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"]],
        )?;
        let whole = |l: Launch| l.set("K4", u8::from(k.is_multiple_of(4))).set("N4", u8::from(n.is_multiple_of(4)));
        let tiled = whole(Launch::flat(&TILED, batch * m.div_ceil(8) * n.div_ceil(8), params.clone()));
        let naive = Launch::flat(&NAIVE, batch * m * n, params.clone());
        let way = |l: Launch| {
            let launch = l.reads([Arg::Input(0), Arg::Input(1)]).writes([Arg::Output(0)]);
            Alternative::row_major(site, vec![launch])
        };
        let tile = Rows8::new(site.caps, [m, k.div_ceil(4), n.div_ceil(4)]);
        let subgroup = tile.map(|tile| whole(tile.launch(&SUBGROUP8, batch, params)));
        Ok(subgroup.into_iter().chain([tiled, naive]).map(way).collect())
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        2 * (outputs[0].numel() * inputs[0].shape.last().copied().unwrap_or(1)) as u64
    }
}

//! `matmul`: matrix products, both matrices known only at run time. A linear layer with constant weights is a convolution.

use super::rows8::Rows8;
use super::strided::Walk;
use super::tiled::SIZES;
use super::tiled::{self, Choice, Product};
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32, expect_inputs};
use crate::bound::{flushed_products, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, Params, nested, params};
use crate::gpu::pieces::{self, FLAT, INTEGER, MATMUL, MATMUL4, ONE_RUN, ONE_TAP, REGISTERS, WORKGROUP};
use crate::parallel;
use crate::reference;
use crate::shape::{Desc, broadcast, broadcast_strides, numel, unravel};
use crate::tensor::Tensor;

static NAIVE: Kernel = kernel!("matmul", MATMUL, FLAT);
static REGISTER: Kernel = kernel!("matmul_register", "problem/matmul", MATMUL4, ONE_TAP, REGISTERS);
static SUBGROUP8: Kernel = kernel!("matmul_subgroup8", "problem/matmul", MATMUL4, ONE_TAP, pieces::SUBGROUP8);
static TILES: Kernel = kernel!("matmul_tiled", "problem/matmul_tiled", MATMUL4, ONE_RUN, WORKGROUP).sizes(SIZES);
static SPLIT_SUM: Kernel = kernel!("matmul_split_sum", FLAT);
static INTEGERS: Kernel = kernel!("matmul_integer", MATMUL, INTEGER, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&NAIVE, &REGISTER, &SUBGROUP8, &TILES, &SPLIT_SUM, &INTEGERS];

/// <https://docs.pytorch.org/docs/stable/generated/torch.matmul.html>: `[.., m, k]` by `[.., k, n]`, leading axes
/// broadcast. An input of one axis is a row vector on the left and a column vector on the right; that axis is not in
/// the result. Of floats, or of integers of one type, whose sums keep its low bits.
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

    /// The result, of which `product` makes one matrix of a pair of them.
    fn evaluate<T: Copy + Default + Sync + Send>(
        &self,
        a: &[T],
        b: &[T],
        product: impl Fn(&[T], &[T], &mut [T]) + Sync,
    ) -> Vec<T> {
        let (m, k, n) = (self.m, self.k, self.n);
        let mut y = vec![T::default(); numel(&self.shape)];
        let (sa, sb) = (broadcast_strides(&self.a_batch, &self.batch), broadcast_strides(&self.b_batch, &self.batch));
        parallel::chunks(&mut y, m * n, |z, y| {
            let index = unravel(z, &self.batch);
            let matrix = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
            product(&a[matrix(&sa) * m * k..], &b[matrix(&sb) * k * n..], y);
        });
        y
    }

    /// The products of floats, each sum through `round`.
    fn of_floats(&self, a: &[f32], b: &[f32], round: impl Fn(f64) -> f32 + Sync) -> Vec<f32> {
        self.evaluate(a, b, |a, b, y| reference::matmul::matmul(a, b, self.k, self.n, y, &round))
    }

    /// The products of integers, which wrap.
    fn of_integers(&self, a: &[i64], b: &[i64]) -> Vec<i64> {
        self.evaluate(a, b, |a, b, y| reference::matmul::of_integers(a, b, self.k, self.n, y))
    }

    /// If one matrix b serves all of a, the batch of a is merged into its rows.
    fn with_batch_as_rows(mut self) -> Sizes {
        if numel(&self.b_batch) == 1 {
            self.m *= numel(&self.a_batch);
            (self.a_batch, self.b_batch, self.batch) = (vec![], vec![], vec![]);
        }
        self
    }

    /// The variants with tiles in workgroup memory, best first.
    fn tiled(&self, site: &Site<'_>, params: &Params) -> Vec<Variant> {
        let (matrices, rows) = (numel(&self.batch), self.m);
        let product = Product { matrices, rows, blocks: self.n.div_ceil(4), steps: self.k.div_ceil(4) };
        let count = matrices * rows * self.n;
        let variant = |c: &Choice| {
            let launch = bound(self.by_vec4s(c.launch(&TILES, &product, params.clone())));
            if c.splits == 1 {
                return Variant::row_major(site, vec![launch.writes([Arg::Output(0)])]);
            }
            let sum = Launch::flat(&SPLIT_SUM, count, params!(count, splits: c.splits))
                .reads([Arg::Scratch(0)])
                .writes([Arg::Output(0)]);
            let run = vec![launch.writes([Arg::Scratch(0)]), sum];
            Variant { scratch: vec![c.splits * count * 4], ..Variant::row_major(site, run) }
        };
        product.choices(site.caps).iter().map(variant).collect()
    }

    /// A launch of a kernel over `shaders/shared/matmul4.wgsl`.
    fn by_vec4s(&self, launch: Launch) -> Launch {
        launch.set("K4", u8::from(self.k.is_multiple_of(4))).set("N4", u8::from(self.n.is_multiple_of(4)))
    }
}

/// A launch that reads both matrices.
fn bound(launch: Launch) -> Launch {
    launch.reads([Arg::Input(0), Arg::Input(1)])
}

impl Op for MatMul {
    built_in!("matmul");
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 2..=2)?;
        let (a, b) = (&inputs[0], &inputs[1]);
        if !a.dtype.is_integer() {
            expect_f32(self, inputs, 2..=2)?;
        } else if b.dtype != a.dtype {
            return Err(Error::shape(format!("both matrices must be of one type, are {} and {}", a.dtype, b.dtype)));
        }
        Ok(vec![Desc::new(Sizes::new(&a.shape, &b.shape)?.shape, a.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let s = Sizes::new(inputs[0].shape(), inputs[1].shape())?;
        if inputs[0].dtype().is_integer() {
            let y = s.of_integers(&inputs[0].to_i64s()?, &inputs[1].to_i64s()?);
            return Ok(vec![Tensor::of(s.shape, y).to_dtype(inputs[0].dtype())]);
        }
        let y = s.of_floats(inputs[0].f32s(), inputs[1].f32s(), |sum| sum as f32);
        Ok(vec![Tensor::of(s.shape, y)])
    }
    /// |error| <= gamma_k sum |a| |b| for any order of the k products (Higham 3.1); 0 of integers.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        if inputs[0].dtype().is_integer() {
            return Ok(Some(crate::bound::exact(outputs)));
        }
        let s = Sizes::new(inputs[0].shape(), inputs[1].shape())?;
        let (a, b, scale) = (inputs[0].map(f64::abs), inputs[1].map(f64::abs), gamma(s.k));
        let flushed = flushed_products(s.k, &inputs[0], &inputs[1]);
        Ok(Some(vec![s.of_floats(a.f32s(), b.f32s(), |sum| (sum * scale + flushed) as f32)]))
    }
    fn roundings_of(&self, _: Seal, _: Algorithm, inputs: &[Tensor]) -> usize {
        inputs[0].shape().last().copied().unwrap_or(1)
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let s = Sizes::new(&site.inputs[0].shape, &site.inputs[1].shape)?.with_batch_as_rows();
        let (batch, m, k, n) = (numel(&s.batch), s.m, s.k, s.n);
        let walk = Walk::broadcast(&s.batch, &[&s.a_batch, &s.b_batch]);
        let params = walk.fields(
            params!(batch, m, k, n),
            ["d0", "d1", "d2", "d3"],
            &[["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"]],
        )?;
        let params = Params([params.0, params!(share: 0u32, splits: 0u32).0].concat());
        let by_four = nested(&[k.div_ceil(4)]);
        if site.inputs[0].dtype.is_integer() {
            let launch = Launch::flat(&INTEGERS, batch * m * n, params).iterations(nested(&[k.div_ceil(4) + 3]));
            let launch = bound(launch.set("TYPE", site.inputs[0].dtype.code()));
            return Ok(vec![Variant::row_major(site, vec![launch.writes([Arg::Output(0)])])]);
        }
        let subgroup = Rows8::new(site.caps, m, n.div_ceil(4))
            .map(|tile| s.by_vec4s(tile.launch(&SUBGROUP8, batch, params.clone())).iterations(by_four));
        let register =
            Launch::flat(&REGISTER, batch * m.div_ceil(8) * n.div_ceil(8), params.clone()).iterations(by_four);
        let register = s.by_vec4s(register).set("PAIR", 1);
        let naive = Launch::flat(&NAIVE, batch * m * n, params.clone()).iterations(nested(&[k]));
        let one = |l: Launch| Variant::row_major(site, vec![bound(l).writes([Arg::Output(0)])]);
        let tiles = s.tiled(site, &params);
        let others = subgroup.into_iter().chain([register]).map(one).collect();
        let variants = if tiled::come_first(site.caps, m, n) { [tiles, others] } else { [others, tiles] };
        Ok([variants.concat(), vec![one(naive)]].concat())
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        2 * (outputs[0].numel() * inputs[0].shape.last().copied().unwrap_or(1)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::caps::Caps;
    use crate::ops::Epilogue;
    use crate::shape::{Layout, Precision};

    /// The kernels of every variant, in order.
    fn variants(caps: &Caps, a: &[usize], b: &[usize]) -> Vec<String> {
        let inputs = [Desc::f32(a), Desc::f32(b)];
        let site = Site {
            inputs: &inputs,
            outputs: &MatMul.outputs(&inputs).unwrap(),
            layouts: &[Layout::RowMajor; 2],
            constant: &[false; 2],
            epilogue: &Epilogue::NONE,
            precision: Precision::F32,
            caps,
        };
        MatMul.launches(&site).unwrap().iter().map(Variant::kernels).collect()
    }

    #[test]
    fn hardware_takes_tiles_by_shape() {
        let caps = Caps { compute_units: 128, subgroup_size: Some(32), ..Caps::webgpu_default() };
        let first = |a: &[usize], b: &[usize]| variants(&caps, a, b).remove(0);
        assert_eq!(first(&[4096, 1024], &[1024, 4096]), "matmul_tiled(8,16,8,1)");
        assert_eq!(first(&[12, 50, 64], &[12, 64, 50]), "matmul_tiled(8,8,4,1)");
        assert_eq!(first(&[5, 4096], &[4096, 4096]), "matmul_tiled(8,16,4,2) + matmul_split_sum");
        assert_eq!(first(&[4099], &[4099]), "matmul_tiled(8,8,4,1) + matmul_split_sum");
        assert_eq!(first(&[10_000, 64], &[64, 3]), "matmul_register");
    }

    #[test]
    fn software_takes_registers() {
        let caps = Caps { subgroup_size: Some(8), software: true, ..Caps::webgpu_default() };
        let all = variants(&caps, &[64, 64], &[64, 64]);
        assert_eq!(all[..2], ["matmul_subgroup8", "matmul_register"]);
        assert!(all[2].starts_with("matmul_tiled") && all.last().unwrap() == "matmul");
        let caps = Caps { subgroup_size: None, ..caps };
        assert_eq!(variants(&caps, &[64, 64], &[64, 64])[0], "matmul_register");
    }
}

//! `top_k`: the largest or smallest values along an axis, and their indices.

use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{ARG_REDUCE, FLAT};
use crate::reference::top_k::top_k;
use crate::shape::{DType, Desc, numel};
use crate::tensor::{Data, Tensor};

static TOP_K: Kernel = kernel!("top_k", ARG_REDUCE, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&TOP_K];

/// The longest axis on a device, which compares every pair of values.
const LONGEST: usize = 1 << 16;

/// The `k` largest or smallest values along an axis, the most extreme first: `torch.topk` and ONNX's `TopK`.
///
/// Input: x of any rank, floats, integers or booleans. Outputs: the values, and i64 indices of them; the axis has extent `k`
/// in both. NaN is larger than any number, as in PyTorch; equal values keep their order.
#[derive(Clone, Debug, PartialEq)]
pub struct TopK {
    /// The axis along which values are chosen.
    pub axis: usize,
    /// The number of values.
    pub k: usize,
    /// Whether the smallest are chosen, not the largest.
    pub smallest: bool,
}

impl TopK {
    /// The input as `[outer, n, inner]`.
    fn split(&self, x: &[usize]) -> [usize; 3] {
        [numel(&x[..self.axis]), x[self.axis], numel(&x[self.axis + 1..])]
    }

    /// The values chosen, and their indices.
    fn chosen<T: PartialOrd + Copy + Default>(&self, shape: &[usize], x: &[T]) -> (Vec<T>, Vec<i64>) {
        let [outer, n, inner] = self.split(shape);
        let mut values = vec![T::default(); outer * self.k * inner];
        let mut indices = vec![0i64; values.len()];
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let list: Vec<T> = (0..n).map(|j| x[(o * n + j) * inner + i]).collect();
            for (r, j) in top_k(&list, self.k, self.smallest).into_iter().enumerate() {
                let at = (o * self.k + r) * inner + i;
                (values[at], indices[at]) = (list[j], j as i64);
            }
        }
        (values, indices)
    }
}

impl Op for TopK {
    built_in!("top_k": axis, k, smallest);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if matches!(x.dtype, DType::F16 | DType::BF16) {
            return Err(Error::unsupported(format!("{} of {x}", self.name())));
        }
        if self.axis >= x.rank() || self.k > x.shape[self.axis] {
            return Err(Error::argument(format!("{} values along axis {} of {x}", self.k, self.axis)));
        }
        let mut shape = x.shape.clone();
        shape[self.axis] = self.k;
        Ok(vec![Desc::new(shape.clone(), x.dtype), Desc::new(shape, DType::I64)])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let mut shape = x.shape().to_vec();
        shape[self.axis] = self.k;
        let (values, indices) = if x.dtype().is_float() {
            let (values, indices) = self.chosen(x.shape(), &x.to_f64s());
            (Tensor::of(shape.clone(), Data::F64(values.into())), indices)
        } else {
            let (values, indices) = self.chosen(x.shape(), &x.to_i64s()?);
            (Tensor::of(shape.clone(), values), indices)
        };
        Ok(vec![values.to_dtype(x.dtype()), Tensor::of(shape, indices)])
    }

    /// Copies and indices: only those of subnormal values are not exact.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        let values = &outputs[0];
        let copies = if values.dtype().is_float() {
            values.iter_f64s().map(|v| bound::extreme(v) as f32).collect()
        } else {
            vec![0.0; values.numel()]
        };
        Ok(Some(vec![copies, bound::indices(values.iter_f64s(), &inputs[0])]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let [outer, n, inner] = self.split(&site.inputs[0].shape);
        if n > LONGEST {
            return Err(Error::unsupported(format!(
                "top_k of {n} values on a device (at most {LONGEST} are supported)"
            )));
        }
        let launch = Launch::flat(&TOP_K, outer * n * inner, params!(outer, n, inner, k: self.k))
            .iterations(nested(&[n]))
            .set("SMALLEST", u8::from(self.smallest))
            .set("LAST", 0u8)
            .set("NAN_LAST", u8::from(self.smallest))
            .set("TYPE", site.inputs[0].dtype.code())
            .reads([Arg::Input(0)])
            .writes([Arg::Output(0), Arg::Output(1)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }

    /// One comparison per pair of values.
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        let [outer, n, inner] = self.split(&inputs[0].shape);
        (outer * inner) as u64 * (n as u64).saturating_mul(n as u64)
    }
}

//! Reductions over axes, and indices of extremes.

use super::{Graph, ValueId};
use crate::attr::{Activation, BinaryKind, Extreme, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::reduce::{ArgReduce, Reduce};
use crate::ops::top_k::TopK;
use crate::shape::DType;

macro_rules! reductions {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {
        impl Graph {
            $(
                $(#[$doc])*
                ///
                /// An empty list means all axes. With `keepdim` the axes keep extent 1.
                ///
                /// # Errors
                /// An axis is outside the tensor or named twice; the type does not have the function.
                pub fn $name(&mut self, x: ValueId, dim: &[i64], keepdim: bool) -> Result<ValueId> {
                    self.reduce(x, dim, keepdim, ReduceKind::$kind)
                }
            )*
        }
    };
}

reductions! {
    /// The sum over axes.
    sum = Sum;
    /// The largest value over axes; NaN if a value is NaN.
    amax = Max;
    /// The smallest value over axes; NaN if a value is NaN.
    amin = Min;
    /// The product over axes.
    prod = Prod;
    /// The logarithm of the sum of `e^x` over axes.
    logsumexp = LogSumExp;
}

impl Graph {
    fn reduce(&mut self, x: ValueId, dim: &[i64], keep_dims: bool, kind: ReduceKind) -> Result<ValueId> {
        let rank = self.dims(x)?.len();
        let axes = match dim {
            [] => (0..rank).collect(),
            dim => dim.iter().map(|&d| crate::shape::axis(d, rank)).collect::<Result<_>>()?,
        };
        self.layer(Reduce { axes, keep_dims, kind }, &[x])
    }

    /// The mean over axes of an f32 tensor.
    ///
    /// An empty list means all axes. With `keepdim` the axes keep extent 1.
    ///
    /// # Errors
    /// An axis is outside the tensor or named twice; the tensor is not f32.
    pub fn mean(&mut self, x: ValueId, dim: &[i64], keepdim: bool) -> Result<ValueId> {
        self.own(&[x])?;
        match self.desc(x).dtype {
            DType::F32 => self.reduce(x, dim, keepdim, ReduceKind::Mean),
            _ => Err(Error::unsupported(format!("the mean of {} (f32 only)", self.desc(x)))),
        }
    }

    /// The norm of order p over axes: `(sum of |x|^p)^(1/p)`; order infinity gives the largest |x|, order minus
    /// infinity the smallest, order 0 the number of x that are not 0.
    ///
    /// An empty list means all axes. With `keepdim` the axes keep extent 1.
    ///
    /// # Errors
    /// An axis is outside the tensor or named twice; the tensor is not f32; p is NaN.
    pub fn norm(&mut self, x: ValueId, p: f32, dim: &[i64], keepdim: bool) -> Result<ValueId> {
        match p {
            1.0 => self.reduce(x, dim, keepdim, ReduceKind::L1),
            2.0 => self.reduce(x, dim, keepdim, ReduceKind::L2),
            0.0 => {
                let [zero, one] = [self.number(0.0)?, self.number(1.0)?];
                let is_zero = self.binary(x, zero, BinaryKind::Equal)?;
                let counted = self.where_(is_zero, zero, one)?;
                self.sum(counted, dim, keepdim)
            }
            p if p.is_nan() => Err(Error::argument("the order of a norm is NaN")),
            p => {
                let magnitude = self.activation(x, Activation::Abs)?;
                if p.is_infinite() {
                    let kind = if p > 0.0 { ReduceKind::Max } else { ReduceKind::Min };
                    return self.reduce(magnitude, dim, keepdim, kind);
                }
                let powers = self.power(magnitude, p)?;
                let sum = self.sum(powers, dim, keepdim)?;
                self.power(sum, 1.0 / p)
            }
        }
    }

    /// The index of the largest value along an axis, i64: the first of equal values, NaN before any number. Without an
    /// axis it is the index in the flattened tensor.
    ///
    /// # Errors
    /// The axis is outside the tensor; the tensor is not f32; there is no value.
    pub fn argmax(&mut self, x: ValueId, dim: impl Into<Option<i64>>, keepdim: bool) -> Result<ValueId> {
        self.arg_reduce(x, dim.into(), keepdim, Extreme::Max)
    }

    /// The index of the smallest value along an axis, i64: the first of equal values, NaN before any number. Without an
    /// axis it is the index in the flattened tensor.
    ///
    /// # Errors
    /// The axis is outside the tensor; the tensor is not f32; there is no value.
    pub fn argmin(&mut self, x: ValueId, dim: impl Into<Option<i64>>, keepdim: bool) -> Result<ValueId> {
        self.arg_reduce(x, dim.into(), keepdim, Extreme::Min)
    }

    fn arg_reduce(&mut self, x: ValueId, dim: Option<i64>, keep_dims: bool, kind: Extreme) -> Result<ValueId> {
        let shape = self.dims(x)?.to_vec();
        let Some(dim) = dim else {
            let flat = self.reshape(x, [shape.iter().product()])?;
            let y = self.layer(ArgReduce { axis: 0, keep_dims, select_last: false, kind }, &[flat])?;
            return if keep_dims { self.reshape(y, vec![1; shape.len()]) } else { Ok(y) };
        };
        let axis = crate::shape::axis(dim, shape.len())?;
        self.layer(ArgReduce { axis, keep_dims, select_last: false, kind }, &[x])
    }

    /// The k largest (or smallest) values along an axis in order, and their indices (i64). The axis has extent k in both.
    ///
    /// # Errors
    /// The axis is outside the tensor or shorter than k; the tensor is not f32.
    pub fn topk(&mut self, x: ValueId, k: usize, dim: i64, largest: bool) -> Result<[ValueId; 2]> {
        let axis = crate::shape::axis(dim, self.dims(x)?.len())?;
        let outputs = self.layer_of_several(TopK { axis, k, smallest: !largest }, &[x])?;
        Ok([outputs[0], outputs[1]])
    }
}

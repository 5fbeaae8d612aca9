//! Element-wise functions.

use super::{Graph, ValueId};
use crate::attr::{Activation, BinaryKind, Trigonometric};
use crate::error::{Error, Result};
use crate::graph::integers;
use crate::ops::binary::Binary;
use crate::ops::cast::Cast;
use crate::ops::prelu::Prelu;
use crate::ops::select::Where;
use crate::ops::sine::Sine;
use crate::ops::trigonometry::Trigonometry;
use crate::ops::unary::Unary;
use crate::options::Approximate;
use crate::shape::DType;
use crate::tensor::Tensor;

impl Graph {
    /// A function of every element of an f32 tensor. [`Activation::Relu`], `Abs`, `Neg`, `Sign`, `Clamp`, and those that round,
    /// also of integers, which wrap.
    ///
    /// # Errors
    /// The tensor has another type; a limit of integers is no number of their type.
    pub fn activation(&mut self, x: ValueId, f: Activation) -> Result<ValueId> {
        self.own(&[x])?;
        let dtype = self.desc(x).dtype;
        if dtype.is_integer()
            && let Some(y) = integers::function(self, &x, dtype, f)?
        {
            return Ok(y);
        }
        self.layer(Unary(f), &[x])
    }

    /// `x (1 + erf(x / sqrt 2)) / 2`, or the formula with the hyperbolic tangent.
    ///
    /// # Errors
    /// The tensor is not f32.
    pub fn gelu(&mut self, x: ValueId, approximate: Approximate) -> Result<ValueId> {
        let f = match approximate {
            Approximate::None => Activation::Gelu,
            Approximate::Tanh => Activation::GeluTanh,
        };
        self.activation(x, f)
    }

    /// A function of two tensors of one type, broadcast to a common shape by NumPy's rule. Comparisons give booleans.
    ///
    /// # Errors
    /// The shapes do not broadcast; the types differ or do not have the function.
    pub fn binary(&mut self, a: ValueId, b: ValueId, kind: BinaryKind) -> Result<ValueId> {
        self.layer(Binary(kind), &[a, b])
    }

    /// A function of truth values: [`BinaryKind::And`], [`BinaryKind::Or`], [`BinaryKind::Xor`]. Of numbers all but 0 are
    /// true.
    ///
    /// # Errors
    /// The shapes do not broadcast; the function is another.
    pub fn logical(&mut self, a: ValueId, b: ValueId, kind: BinaryKind) -> Result<ValueId> {
        self.own(&[a, b])?;
        let mut truth = |x: ValueId| match self.desc(x).dtype {
            DType::Bool => Ok(x),
            _ => self.cast(x, DType::Bool),
        };
        let (a, b) = (truth(a)?, truth(b)?);
        self.binary(a, b, kind)
    }

    /// The other bits of integers, or the negation of booleans.
    ///
    /// # Errors
    /// The tensor holds floats.
    pub fn bitwise_not(&mut self, x: ValueId) -> Result<ValueId> {
        self.own(&[x])?;
        let ones = Tensor::scalar(-1i64).to_dtype(self.desc(x).dtype);
        let ones = self.constant("ones", ones)?;
        self.binary(x, ones, BinaryKind::Xor)
    }

    /// `sin x`, x in radians.
    ///
    /// # Errors
    /// The tensor is not f32.
    pub fn sin(&mut self, x: ValueId) -> Result<ValueId> {
        self.layer(Sine { cosine: false }, &[x])
    }

    /// `cos x`, x in radians.
    ///
    /// # Errors
    /// The tensor is not f32.
    pub fn cos(&mut self, x: ValueId) -> Result<ValueId> {
        self.layer(Sine { cosine: true }, &[x])
    }

    /// Any function of every element that [`Trigonometric`] lists.
    ///
    /// # Errors
    /// The tensor is not f32.
    pub fn trigonometric(&mut self, x: ValueId, f: Trigonometric) -> Result<ValueId> {
        self.layer(Trigonometry(f), &[x])
    }

    /// x above `threshold`, elsewhere `value`.
    ///
    /// # Errors
    /// The tensor is not f32.
    pub fn threshold(&mut self, x: ValueId, threshold: f32, value: f32) -> Result<ValueId> {
        self.activation(x, Activation::Threshold { threshold, value })
    }

    /// x, or `slope x` below 0. x is `[n, c, ..]`, the slope one number or `[c]`; a slope with more axes is broadcast to x.
    ///
    /// # Errors
    /// The slope has another shape; a tensor is not f32.
    pub fn prelu(&mut self, x: ValueId, slope: ValueId) -> Result<ValueId> {
        let (shape, slopes) = (self.dims(x)?, self.dims(slope)?);
        let fits = |n: usize| n == 1 || shape.get(1) == Some(&n);
        if slopes.len() < 2 && !fits(slopes.iter().product()) {
            return Err(Error::shape(format!(
                "prelu of {shape:?}: {slopes:?} are neither one slope nor one per channel"
            )));
        }
        self.layer(Prelu, &[x, slope])
    }

    /// The elements of `a` where the boolean `condition` holds, elsewhere those of `b`. All three are broadcast.
    ///
    /// # Errors
    /// The shapes do not broadcast; the condition is not boolean; the types of `a` and `b` differ.
    pub fn where_(&mut self, condition: ValueId, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.layer(Where, &[condition, a, b])
    }

    /// The elements as another type.
    ///
    /// # Errors
    /// There is no such conversion.
    pub fn cast(&mut self, x: ValueId, to: DType) -> Result<ValueId> {
        self.layer(Cast { to }, &[x])
    }
}

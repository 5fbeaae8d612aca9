//! A value during lowering, and what quantised ones stand for.

use crate::graph::ValueId;
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// A value during lowering.
#[derive(Clone, Debug)]
pub(crate) enum Val {
    /// Known, on the host.
    Known(Tensor),
    /// Computed on the device in every run.
    Computed(ValueId, Desc),
}

impl Val {
    pub fn desc(&self) -> Desc {
        match self {
            Val::Known(t) => t.desc(),
            Val::Computed(_, desc) => desc.clone(),
        }
    }
    pub fn shape(&self) -> &[usize] {
        match self {
            Val::Known(t) => t.shape(),
            Val::Computed(_, desc) => &desc.shape,
        }
    }
    pub fn rank(&self) -> usize {
        self.shape().len()
    }
    pub fn dtype(&self) -> DType {
        match self {
            Val::Known(t) => t.dtype(),
            Val::Computed(_, desc) => desc.dtype,
        }
    }
    pub fn known(&self) -> Option<&Tensor> {
        match self {
            Val::Known(t) => Some(t),
            Val::Computed(..) => None,
        }
    }
    /// The one element of a known tensor of floats.
    pub fn known_scalar(&self) -> Option<f32> {
        let known = self.known().filter(|t| t.dtype().is_float() && t.numel() == 1)?;
        Some(known.to_f64s()[0] as f32)
    }
}

impl From<Tensor> for Val {
    fn from(t: Tensor) -> Val {
        Val::Known(t)
    }
}

/// What the integers of a graph stand for: the value, which has whole steps, and the one scale and zero.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub value: Val,
    pub by: Scalar,
}

/// One scale and one zero for a whole tensor, both known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scalar {
    pub scale: f32,
    pub zero: f32,
    /// The integers' type.
    pub dtype: DType,
}

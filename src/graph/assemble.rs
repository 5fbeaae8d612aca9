//! What operators are added to, so that a composition of operators is written once: a graph here, and an importer, which
//! evaluates operators of known values.

use super::{Graph, ValueId};
use crate::error::Result;
use crate::ops::Op;
use crate::ops::permute::Permute;
use crate::tensor::Tensor;

pub(crate) trait Assemble {
    /// A value of the network.
    type Value: Clone;

    /// The shape of a value; an error if it is one of another network.
    fn extents(&self, x: &Self::Value) -> Result<Vec<usize>>;

    /// Applies an operator of one output.
    fn add_op(&mut self, op: impl Op + 'static, inputs: &[&Self::Value]) -> Result<Self::Value>;

    /// The same elements under another shape.
    fn see_as(&mut self, x: &Self::Value, shape: &[usize]) -> Result<Self::Value>;

    /// A value that is the same in every run.
    fn fixed(&mut self, name: &str, tensor: Tensor) -> Result<Self::Value>;

    /// Axis k of the result is axis `order[k]` of x.
    fn reorder(&mut self, x: &Self::Value, order: &[usize]) -> Result<Self::Value> {
        let (op, shape) = (Permute { order: order.to_vec() }, self.extents(x)?);
        if op.only_moves_ones(&shape) {
            let moved: Vec<_> = order.iter().map(|&axis| shape[axis]).collect();
            return self.see_as(x, &moved);
        }
        self.add_op(op, &[x])
    }
}

impl Assemble for Graph {
    type Value = ValueId;

    fn extents(&self, x: &ValueId) -> Result<Vec<usize>> {
        self.own(&[*x])?;
        Ok(self.shape(*x).to_vec())
    }

    fn add_op(&mut self, op: impl Op + 'static, inputs: &[&ValueId]) -> Result<ValueId> {
        let inputs: Vec<_> = inputs.iter().map(|id| **id).collect();
        self.layer(op, &inputs)
    }

    fn see_as(&mut self, x: &ValueId, shape: &[usize]) -> Result<ValueId> {
        self.reshape(*x, shape)
    }

    fn fixed(&mut self, name: &str, tensor: Tensor) -> Result<ValueId> {
        self.constant(name, tensor)
    }
}

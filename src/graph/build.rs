//! The layers as methods of [`Graph`], with PyTorch's options and semantics. Each adds the nodes that it needs.
//!
//! `nn` and `functional` call these methods; so does a program that builds a network by hand. A file here has the
//! methods of the file of the same name in `functional`.

mod attention;
mod conv;
mod elementwise;
mod grid;
mod norm;
mod pool;
mod recurrent;
mod reduce;
mod regions;
mod resample;
mod shape;

use super::{Graph, ValueId};
use crate::error::{Error, Result};
use crate::ops::{self, Op};
use crate::tensor::Tensor;

pub(crate) use recurrent::RecurrentWeights;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use shape::flattened;

impl Graph {
    /// A name for the next node of this kind: the scope, the kind, a running number.
    fn next_name(&self, kind: &str) -> String {
        format!("{}{kind}_{}", self.scope, self.nodes.len())
    }

    /// Nodes added from here on have names that start with `scope`.
    pub fn set_scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// Applies an operator of one output. The node's name is the scope, the operator's name and a running number.
    ///
    /// # Errors
    /// The inputs do not fit the operator.
    pub fn layer(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Result<ValueId> {
        Ok(self.layer_of_several(op, inputs)?[0])
    }

    /// Applies an operator of several outputs.
    fn layer_of_several(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let name = self.next_name(op.name());
        self.add(name, op, inputs)
    }

    /// The results of an operator: constants, where it is applied to constants.
    pub(crate) fn folded(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let known: Option<Vec<Tensor>> = inputs.iter().map(|id| self.constant_of(*id).cloned()).collect();
        let Some(known) = known else { return self.layer_of_several(op, inputs) };
        op.outputs(&self.descs(inputs))?;
        let results = ops::evaluate(&op, &known)?;
        results.into_iter().map(|t| self.constant(op.name(), t)).collect()
    }

    /// A number as a value that broadcasts to any shape.
    fn number(&mut self, value: f32) -> Result<ValueId> {
        self.constant("number", Tensor::scalar(value))
    }

    /// The shape of a value; an error if it is one of another graph.
    fn dims(&self, x: ValueId) -> Result<&[usize]> {
        self.own(&[x]).map(|()| self.shape(x))
    }

    /// The extent of axis 1.
    fn channels(&self, x: ValueId) -> Result<usize> {
        let shape = self.dims(x)?;
        shape.get(1).copied().ok_or_else(|| Error::shape(format!("{shape:?} has no channel axis")))
    }
}

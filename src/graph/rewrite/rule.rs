//! What rules give, and how they look at a graph.

use std::any::Any;
use std::fmt;

use super::editor::Edit;
use crate::graph::{Graph, Node, ValueId};
use crate::ops::Op;
use crate::tensor::Tensor;

/// What a rule did at a node, or why it did nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// The rule's name.
    pub rule: &'static str,
    /// The node it looked at.
    pub node: String,
    /// Why the rule did not fire although its pattern matched; `None` if it fired.
    pub declined: Option<&'static str>,
}

impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.declined {
            None => write!(f, "{} at {}", self.rule, self.node),
            Some(why) => write!(f, "{} not at {}: {why}", self.rule, self.node),
        }
    }
}

/// The result of a rule at a node.
pub(super) enum Answer {
    /// The pattern does not match.
    No,
    /// The pattern matches, but something forbids the change.
    Declined(&'static str),
    /// The change that it proposes.
    Change(Edit),
}

/// The operator of a node, if it is a `T`.
pub(super) fn op_as<T: Op>(node: &Node) -> Option<&T> {
    let any: &dyn Any = node.op.as_ref();
    any.downcast_ref()
}

/// The f32 constant of a value.
pub(super) fn constant(graph: &Graph, id: ValueId) -> Option<&Tensor> {
    graph.constant_of(id).filter(|t| t.as_f32().is_ok())
}

/// The number of a constant of one element.
pub(super) fn number(graph: &Graph, id: ValueId) -> Option<f32> {
    constant(graph, id).filter(|t| t.numel() == 1).map(|t| t.f32s()[0])
}

//! What rules give, and how they look at a graph.

use std::fmt;

use super::editor::Edit;
use crate::graph::{Graph, Node, ValueId};
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

/// The result of a rule at a node: the change that it proposes, if any.
pub(super) type Answer = Result<Edit, Refusal>;

/// Why a rule proposes no change.
pub(super) enum Refusal {
    /// The pattern does not match.
    NoMatch,
    /// The pattern matches, but something forbids the change.
    Declined(&'static str),
}

impl From<&'static str> for Refusal {
    fn from(why: &'static str) -> Refusal {
        Refusal::Declined(why)
    }
}

/// The f32 constant of a value.
pub(super) fn constant(graph: &Graph, id: ValueId) -> Option<&Tensor> {
    graph.constant_of(id).filter(|t| t.as_f32().is_ok())
}

/// The number of a constant of one element.
pub(super) fn number(graph: &Graph, id: ValueId) -> Option<f32> {
    constant(graph, id).filter(|t| t.numel() == 1).map(|t| t.f32s()[0])
}

/// The bias of a convolution with this number of output channels; zeros if it has none.
pub(super) fn bias_of(graph: &Graph, conv: &Node, channels: usize) -> Result<Vec<f64>, Refusal> {
    match conv.inputs[..conv.own_inputs()].get(2) {
        None => Ok(vec![0.0; channels]),
        Some(&id) => constant(graph, id).map(Tensor::to_f64s).ok_or("the bias is not constant".into()),
    }
}

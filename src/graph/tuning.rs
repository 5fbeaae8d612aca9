//! Measured choices of kernels: which alternative a node of a kind takes instead of the first.

use std::collections::BTreeMap;

use super::{Graph, Node};
use crate::ops::Alternative;

/// For every tuned node the alternative that was fastest, both by what describes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// From [`Tuning::key`] to [`Alternative::signature`].
    pub choices: BTreeMap<String, String>,
}

impl Tuning {
    /// What a choice depends on besides the adapter: the operator with its attributes, what follows in the same
    /// kernel, every input's shape and type.
    pub fn key(graph: &Graph, node: &Node) -> String {
        let inputs: Vec<_> = graph.descs(&node.inputs).iter().map(ToString::to_string).collect();
        format!("{:?} {:?} ({})", node.op, node.epilogue, inputs.join(", "))
    }

    /// The position of a node's choice among its alternatives; `None` if it is not tuned or that alternative is not there.
    pub fn pick(&self, graph: &Graph, node: &Node, alternatives: &[Alternative]) -> Option<usize> {
        let wanted = self.choices.get(&Tuning::key(graph, node))?;
        alternatives.iter().position(|a| a.signature() == *wanted)
    }
}

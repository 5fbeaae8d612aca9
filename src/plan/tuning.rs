//! Measured choices of kernels: which variant a node takes instead of the first.

use std::collections::BTreeMap;

use crate::attr::Attribute;
use crate::graph::{Graph, Node};
use crate::ops::Variant;
use crate::shape::Precision;

/// The fastest variant of every tuned node, by key and signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// From [`Tuning::key`] to [`Variant::signature`].
    pub choices: BTreeMap<String, String>,
}

impl Tuning {
    /// What a choice depends on besides the adapter: the operator with its attributes, the epilogue, every input's
    /// shape and type, the precision. `None` if the operator does not give its attributes: it is not tuned.
    pub fn key(graph: &Graph, node: &Node, precision: Precision) -> Option<String> {
        let inputs: Vec<_> = graph.descs(&node.inputs).iter().map(ToString::to_string).collect();
        let (op, attributes, epilogue) = (node.op.name(), node.op.attributes()?, node.epilogue.value());
        Some(format!("{op}({attributes}) {epilogue} of {} in {precision}", inputs.join(", ")))
    }

    /// The position of a node's choice among its variants; `None` if it is not tuned or has no such variant.
    pub fn pick(&self, graph: &Graph, node: &Node, precision: Precision, alternatives: &[Variant]) -> Option<usize> {
        let wanted = self.choices.get(&Tuning::key(graph, node, precision)?)?;
        alternatives.iter().position(|a| a.signature() == *wanted)
    }
}

//! The supported ONNX operators.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{
    Import, NodeView, Val, activation, arithmetic, branch, constant, conv, data, einsum, linear, masks, norm, pool,
    reduce, reshape, resize, scatter, unsupported,
};
use crate::error::Result;
use crate::model::proto::NodeProto;

/// Lowers one node: its outputs, in order.
pub(super) type Handler = fn(&mut Import, &NodeView) -> Result<Vec<Val>>;

/// The description of an ONNX operator, independent of its inputs.
pub(crate) struct Operator {
    /// `op_type` of its nodes.
    pub name: &'static str,
    /// Attributes it may have, over all versions.
    pub attributes: &'static [&'static str],
    /// Inputs whose values must be known when it is lowered, because they decide a shape, an axis or a scale.
    pub host: &'static [usize],
    /// Lowers a node.
    pub(super) lower: Handler,
}

impl Operator {
    /// An operator with these attributes.
    pub(super) const fn new(name: &'static str, attributes: &'static [&'static str], lower: Handler) -> Operator {
        Operator { name, attributes, host: &[], lower }
    }
    /// Adds inputs that must be known.
    pub(super) const fn host(self, host: &'static [usize]) -> Operator {
        Operator { host, ..self }
    }
}

/// The operators by name.
pub(crate) fn table() -> &'static HashMap<&'static str, &'static Operator> {
    static TABLE: LazyLock<HashMap<&str, &Operator>> = LazyLock::new(|| {
        let families = [
            activation::OPERATORS,
            arithmetic::OPERATORS,
            branch::OPERATORS,
            constant::OPERATORS,
            conv::OPERATORS,
            data::OPERATORS,
            einsum::OPERATORS,
            linear::OPERATORS,
            masks::OPERATORS,
            norm::OPERATORS,
            pool::OPERATORS,
            reduce::OPERATORS,
            reshape::OPERATORS,
            resize::OPERATORS,
            scatter::OPERATORS,
        ];
        families.into_iter().flatten().map(|o| (o.name, o)).collect()
    });
    &TABLE
}

/// The nodes, if all their operators and attributes are supported.
///
/// # Errors
/// Everything that is not supported, in one message.
pub(crate) fn check(nodes: Vec<NodeProto>) -> Result<Vec<NodeProto>> {
    let problems: Vec<String> = nodes.iter().flat_map(problems).collect();
    if problems.is_empty() { Ok(nodes) } else { Err(unsupported(&problems)) }
}

fn problems(node: &NodeProto) -> Vec<String> {
    let domain = node.domain();
    if !domain.is_empty() && domain != "ai.onnx" {
        return vec![format!("{}: operator {} of {domain}", node.name(), node.op_type())];
    }
    let Some(operator) = table().get(node.op_type()) else {
        return vec![format!("{}: operator {}", node.name(), node.op_type())];
    };
    let unknown = node.attribute.iter().filter(|a| {
        let known = operator.attributes.contains(&a.name());
        !known || !a.ref_attr_name().is_empty()
    });
    unknown.map(|a| format!("{}: attribute {} of {}", node.name(), a.name(), node.op_type())).collect()
}

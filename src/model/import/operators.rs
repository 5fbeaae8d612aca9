//! The supported ONNX operators.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{
    Import, NodeView, Val, activation, arithmetic, branch, constant, conv, data, einsum, linear, masks, microsoft,
    norm, pool, reduce, reshape, resize, scatter, unsupported,
};
use crate::error::{Error, Result};
use crate::model::nodes::Node;
use crate::model::proto::NodeProto;
use crate::model::registry::Registry;

/// Lowers one node: its outputs, in order.
pub(super) type Handler = fn(&mut Import, &NodeView) -> Result<Vec<Val>>;

/// The description of an ONNX operator, independent of its inputs.
pub(crate) struct Operator {
    /// The domain of its nodes, empty for the default one.
    domain: &'static str,
    /// `op_type` of its nodes.
    name: &'static str,
    /// Attributes it may have, over all versions.
    attributes: &'static [&'static str],
    /// Inputs whose values must be known when it is lowered, because they decide a shape, an axis or a scale.
    pub host: &'static [usize],
    /// Lowers a node.
    pub(super) lower: Handler,
}

impl Operator {
    /// An operator of the default domain with these attributes.
    pub(super) const fn new(name: &'static str, attributes: &'static [&'static str], lower: Handler) -> Operator {
        Operator { domain: "", name, attributes, host: &[], lower }
    }
    /// The same in another domain.
    pub(super) const fn of(self, domain: &'static str) -> Operator {
        Operator { domain, ..self }
    }
    /// Adds inputs that must be known.
    pub(super) const fn host(self, host: &'static [usize]) -> Operator {
        Operator { host, ..self }
    }
}

/// The operators by domain and name.
fn table() -> &'static HashMap<(&'static str, &'static str), &'static Operator> {
    static TABLE: LazyLock<HashMap<(&str, &str), &Operator>> = LazyLock::new(|| {
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
            microsoft::OPERATORS,
            norm::OPERATORS,
            pool::OPERATORS,
            reduce::OPERATORS,
            reshape::OPERATORS,
            resize::OPERATORS,
            scatter::OPERATORS,
        ];
        families.into_iter().flatten().map(|o| ((o.domain, o.name), o)).collect()
    });
    &TABLE
}

/// Whether a domain is that of ONNX's own operators.
pub(crate) fn is_default(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// The operator of a node, if it is understood.
pub(crate) fn find(node: &NodeProto) -> Option<&'static Operator> {
    let table: &HashMap<(&str, &str), &'static Operator> = table();
    let domain = if is_default(node.domain()) { "" } else { node.domain() };
    table.get(&(domain, node.op_type())).copied()
}

/// The nodes, if every one is of the program's own operators, or of one that is understood and has only attributes that are.
///
/// # Errors
/// All that is not, in one message.
pub(crate) fn check(nodes: Vec<Node>, registry: &Registry) -> Result<Vec<Node>> {
    let foreign = || nodes.iter().filter(|n| registry.find(n).is_none());
    if let Some(node) = foreign().find(|n| n.domain() == microsoft::NCHWC) {
        return Err(Error::unsupported(format!(
            "operator {} of {}, which ONNX Runtime writes for one kind of processor: save the optimised model at level \
             ORT_ENABLE_EXTENDED or below",
            node.op_type(),
            node.domain()
        ))
        .at(node.name()));
    }
    let problems: Vec<Error> = foreign().flat_map(|node| problems(node)).collect();
    if problems.is_empty() { Ok(nodes) } else { Err(unsupported(problems)) }
}

fn problems(node: &NodeProto) -> Vec<Error> {
    let problem = |what: String| Error::unsupported(what).at(node.name());
    let Some(operator) = find(node) else {
        let domain = node.domain();
        let of = if is_default(domain) { String::new() } else { format!(" of {domain}") };
        let own = if ["", "ai.onnx", "com.microsoft", "ai.onnx.ml"].contains(&domain) {
            ""
        } else {
            " (a program may give its own: onnx::Registry)"
        };
        return vec![problem(format!("operator {}{of}{own}", node.op_type()))];
    };
    let unknown = node.attribute.iter().filter(|a| {
        // Before version 6 it told which inputs may be overwritten.
        let known = operator.attributes.contains(&a.name()) || a.name() == "consumed_inputs";
        !known || !a.ref_attr_name().is_empty()
    });
    unknown.map(|a| problem(format!("attribute {} of {}", a.name(), node.op_type()))).collect()
}

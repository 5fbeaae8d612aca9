//! The supported ONNX operators.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::operator::Operator;
use super::{
    activation, arithmetic, attention, constant, conv, data, einsum, fold, grid, linear, masks, microsoft, norm, pool,
    qlinear, quantize, random, recurrent, reduce, regions, reshape, resize, scatter,
};
use crate::error::{Error, Result};
use crate::model::node::{Node, is_default};
use crate::model::proto::NodeProto;
use crate::model::registry::Registry;

/// The condition must be known: the branch that it chooses is lowered in place of the node.
const BRANCH: &[Operator] = &[Operator::branch("If", &["else_branch", "then_branch"]).host(&[0])];

/// The operators by domain and name.
fn table() -> &'static HashMap<(&'static str, &'static str), &'static Operator> {
    static TABLE: LazyLock<HashMap<(&str, &str), &Operator>> = LazyLock::new(|| {
        let families = [
            activation::OPERATORS,
            arithmetic::OPERATORS,
            attention::OPERATORS,
            BRANCH,
            constant::OPERATORS,
            conv::OPERATORS,
            data::OPERATORS,
            einsum::OPERATORS,
            fold::OPERATORS,
            grid::OPERATORS,
            linear::OPERATORS,
            masks::OPERATORS,
            microsoft::OPERATORS,
            norm::OPERATORS,
            pool::OPERATORS,
            qlinear::OPERATORS,
            quantize::OPERATORS,
            random::OPERATORS,
            recurrent::OPERATORS,
            reduce::OPERATORS,
            regions::OPERATORS,
            reshape::OPERATORS,
            resize::OPERATORS,
            scatter::OPERATORS,
        ];
        families.into_iter().flatten().map(|o| ((o.domain, o.name), o)).collect()
    });
    &TABLE
}

/// The domain, empty for the default one, and the name of every operator.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    table().keys().copied()
}

/// The operator of a node, if it is understood.
pub(crate) fn find(node: &NodeProto) -> Option<&'static Operator> {
    let table: &HashMap<(&str, &str), &'static Operator> = table();
    let domain = if is_default(node.domain()) { "" } else { node.domain() };
    table.get(&(domain, node.op_type())).copied()
}

/// One error for everything that is unsupported, with the first node; a long list is cut off.
pub(super) fn unsupported(mut problems: Vec<Error>) -> Error {
    let first = problems.remove(0);
    let others = problems.iter().take(99).map(|e| format!("; {e}")).collect::<String>();
    let more = match problems.len().saturating_sub(99) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    first.followed_by(&format!("{others}{more}")).within("not supported")
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

//! Which inputs of a model must be known before it is planned: a walk backwards from where such values are read.

use std::collections::{HashMap, HashSet};

use super::operators::find;
use crate::error::Error;
use crate::model::network::Model;
use crate::model::proto::NodeProto;
use crate::model::reads::branches;
use crate::shape::{DType, Desc, ValueInfo};

/// Inputs whose values decide a shape, an axis, a scale or a branch, in the model's order.
pub(crate) fn shape_inputs(model: &Model) -> Vec<String> {
    let read = all_nodes(model).into_iter().flat_map(|node| {
        let host = find(node).map_or(&[][..], |o| o.host);
        host.iter().filter_map(|&k| node.input.get(k)).map(String::as_str)
    });
    sources(model, read.collect()).into_iter().map(str::to_owned).collect()
}

/// The error for input `k` of a node, which must be known and is not.
pub(crate) fn not_known(model: &Model, node: &NodeProto, k: usize, desc: &Desc) -> Error {
    let value = &node.input[k];
    let what =
        format!("{} needs the value of its input {k}, {value}: {desc}, before the network is planned", node.op_type());
    match &sources(model, vec![value])[..] {
        [] if model.inputs().iter().any(|v| v.name == *value) => Error::argument(format!(
            "{what}, but it is an input that may be large: only integers and short lists may decide"
        )),
        [] => Error::argument(format!("{what}, but every run computes it on the device")),
        names => Error::argument(format!("{what}: give the value of {}", names.join(", "))),
    }
}

/// The nodes of the model, those in branches included.
fn all_nodes(model: &Model) -> Vec<&NodeProto> {
    let mut open: Vec<&NodeProto> = model.nodes.iter().map(|n| &n.proto).collect();
    let mut found = vec![];
    while let Some(node) = open.pop() {
        found.push(node);
        open.extend(branches(node).flat_map(|graph| &graph.node));
    }
    found
}

/// Inputs of the model that may hold sizes and on whose values the given values depend. A dependence on shapes alone
/// does not count.
fn sources<'m>(model: &'m Model, mut open: Vec<&'m str>) -> Vec<&'m str> {
    let makers: HashMap<&str, &NodeProto> =
        all_nodes(model).into_iter().flat_map(|n| n.output.iter().map(move |name| (name.as_str(), n))).collect();
    let mut seen = HashSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        if let Some(node) = makers.get(name)
            && !["Shape", "Size"].contains(&node.op_type())
        {
            open.extend(node.input.iter().map(String::as_str));
        }
    }
    let inputs = model.inputs().iter().chain(model.optional_inputs());
    let found = inputs.filter(|v| seen.contains(v.name.as_str()) && may_hold_sizes(v));
    found.map(|v| v.name.as_str()).collect()
}

/// Integers, booleans and lists of numbers (the scales of Resize) may; images may not.
fn may_hold_sizes(info: &ValueInfo) -> bool {
    !info.dtype.is_some_and(DType::is_float) || info.dims.as_ref().is_some_and(|dims| dims.len() <= 1)
}

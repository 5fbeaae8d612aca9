//! Which inputs of a model decide a shape, an axis or a scale: a walk backwards from where such values are read.

use std::collections::{HashMap, HashSet};

use super::operators::table;
use crate::error::Error;
use crate::model::onnx::Model;
use crate::model::proto::NodeProto;

use crate::shape::ValueInfo;

/// Inputs that decide a shape, an axis or a scale, in the model's order.
pub(crate) fn shape_inputs(model: &Model) -> Vec<String> {
    let read = model.nodes.iter().flat_map(|node| {
        let host = table()[node.op_type()].host;
        host.iter().filter_map(|&k| node.input.get(k)).map(String::as_str)
    });
    sources(model, read.collect()).into_iter().map(str::to_owned).collect()
}

/// The error for a value that must be known and is not.
pub(crate) fn not_known(model: &Model, value: &str) -> Error {
    match &sources(model, vec![value])[..] {
        [] => Error::argument(format!(
            "{value} decides a shape, an axis or a scale, but depends on values computed on the device"
        )),
        names => Error::argument(format!("{value} decides a shape, an axis or a scale: give the value of {names:?}")),
    }
}

/// Inputs of the model that may hold sizes and on whose values the given values depend. A dependence on shapes alone
/// does not count.
fn sources<'m>(model: &'m Model, mut open: Vec<&'m str>) -> Vec<&'m str> {
    let makers: HashMap<&str, &NodeProto> =
        model.nodes.iter().flat_map(|n| n.output.iter().map(move |name| (name.as_str(), n))).collect();
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
    let found = model.inputs().iter().filter(|v| seen.contains(v.name.as_str()) && may_hold_sizes(v));
    found.map(|v| v.name.as_str()).collect()
}

/// Integers, booleans and lists of numbers (the scales of Resize) may; images may not.
fn may_hold_sizes(info: &ValueInfo) -> bool {
    !info.dtype.is_float() || info.dims.as_ref().is_some_and(|dims| dims.len() <= 1)
}

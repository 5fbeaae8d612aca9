//! An ONNX node with its values: attributes read with their types, inputs by position.

use super::val::Val;
use crate::error::{Error, Result};
use crate::model::node::Node;
use crate::model::proto::{AttributeProto, GraphProto, NodeProto, attribute_type as ty};
use crate::model::tensor_proto;
use crate::shape;
use crate::tensor::Tensor;

/// A node about to be lowered.
#[derive(Debug)]
pub(crate) struct NodeView<'a> {
    proto: &'a NodeProto,
    /// The version of the operator set, which some defaults and meanings depend on.
    pub opset: i64,
    inputs: Vec<Option<Val>>,
}

impl<'a> NodeView<'a> {
    pub fn new(node: &'a Node, inputs: Vec<Option<Val>>) -> NodeView<'a> {
        NodeView { proto: &node.proto, opset: node.opset, inputs }
    }
    /// The same node with other values, and the meaning of another operator set.
    pub fn with(&self, inputs: Vec<Option<Val>>, opset: i64) -> NodeView<'a> {
        NodeView { proto: self.proto, opset, inputs }
    }
    /// The node's name.
    pub fn name(&self) -> &str {
        self.proto.name()
    }
    /// The names and values of the inputs that are present.
    pub fn named_inputs(&self) -> impl Iterator<Item = (&'a str, &Val)> {
        let names = self.proto.input.iter().map(String::as_str);
        names.zip(&self.inputs).filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
    /// The operator's name.
    pub fn op(&self) -> &str {
        self.proto.op_type()
    }

    /// Input `k`.
    ///
    /// # Errors
    /// The node has no such input.
    pub fn input(&self, k: usize) -> Result<&Val> {
        self.optional(k).ok_or_else(|| Error::file(format!("{} lacks its input {k}", self.op())))
    }
    /// Input `k`, if it is present.
    pub fn optional(&self, k: usize) -> Option<&Val> {
        self.inputs.get(k)?.as_ref()
    }
    /// The name of input `k`; empty if the node has none there.
    pub fn input_name(&self, k: usize) -> &str {
        self.proto.input.get(k).map_or("", String::as_str)
    }
    /// All inputs of an operator that takes any number of them, at least one.
    pub fn inputs(&self) -> Result<Vec<&Val>> {
        (0..self.inputs.len().max(1)).map(|k| self.input(k)).collect()
    }
    /// The inputs, those that are absent as well.
    pub fn all(&self) -> &[Option<Val>] {
        &self.inputs
    }
    /// The inputs that are there, in order.
    pub fn present(&self) -> Vec<&Val> {
        self.inputs.iter().flatten().collect()
    }
    /// How many inputs the node lists, absent ones included.
    pub fn num_inputs(&self) -> usize {
        self.inputs.len()
    }
    /// Whether the node declares output `k`.
    pub fn gives(&self, k: usize) -> bool {
        self.proto.output.get(k).is_some_and(|name| !name.is_empty())
    }
    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.proto.output.len()
    }

    /// The value of an input that must be known, according to the operator's table entry.
    pub fn host(&self, k: usize) -> Option<&Tensor> {
        self.optional(k)?.known()
    }
    /// The value of such an input as integers.
    pub fn host_ints(&self, k: usize) -> Result<Option<Vec<i64>>> {
        self.host(k).map(Tensor::to_i64s).transpose()
    }
    /// The value of such an input as floats.
    pub fn host_floats(&self, k: usize) -> Result<Option<Vec<f32>>> {
        let floats = |t: &Tensor| match t.dtype().is_float() {
            true => Ok(t.to_f64s().into_iter().map(|v| v as f32).collect()),
            false => Err(Error::shape(format!("expected floats, have {}", t.desc()))),
        };
        self.host(k).map(floats).transpose()
    }
    /// Integers that are an attribute in older versions and input `k` in newer ones.
    pub fn ints_or_host(&self, attribute: &str, k: usize) -> Result<Option<Vec<i64>>> {
        match self.ints(attribute)? {
            Some(ints) => Ok(Some(ints)),
            None => self.host_ints(k),
        }
    }

    fn attribute(&self, name: &str, r#type: i32) -> Result<Option<&AttributeProto>> {
        let Some(found) = self.proto.attribute.iter().find(|a| a.name() == name) else { return Ok(None) };
        if ![0, r#type].contains(&found.r#type()) {
            let types = [found.r#type(), r#type].map(attribute_type_name);
            return Err(Error::file(format!("attribute {name} of {} is {}, not {}", self.op(), types[0], types[1])));
        }
        Ok(Some(found))
    }
    /// An attribute that an operator of a program's own cannot read: a graph, or a reference to an attribute of a function.
    pub fn unusable(&self) -> Option<&str> {
        let unusable = |a: &&AttributeProto| a.g.is_some() || !a.ref_attr_name().is_empty();
        self.proto.attribute.iter().find(unusable).map(|a| a.name())
    }
    /// The names of the attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.proto.attribute.iter().map(|a| a.name())
    }
    /// Whether the node has the attribute.
    pub fn has(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|a| a.name() == name)
    }
    /// An integer.
    pub fn int(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.attribute(name, ty::INT)?.map_or(default, |a| a.i()))
    }
    /// An integer that is not 0.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.int(name, default.into())? != 0)
    }
    /// An integer that counts something.
    pub fn count(&self, name: &str, default: usize) -> Result<usize> {
        let n = self.int(name, default as i64)?;
        usize::try_from(n)
            .map_err(|_| Error::file(format!("attribute {name} of {} is {n}: it must not be negative", self.op())))
    }
    /// A number.
    pub fn float(&self, name: &str, default: f32) -> Result<f32> {
        Ok(self.attribute(name, ty::FLOAT)?.map_or(default, |a| a.f()))
    }
    /// A list of integers.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        Ok(self.attribute(name, ty::INTS)?.map(|a| a.ints.clone()))
    }
    /// A list of integers that count something.
    pub fn counts(&self, name: &str) -> Result<Option<Vec<usize>>> {
        self.ints(name)?.map(|list| counts(name, &list)).transpose()
    }
    /// A list of numbers.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>> {
        Ok(self.attribute(name, ty::FLOATS)?.map(|a| a.floats.clone()))
    }
    /// A string.
    pub fn string<'s>(&'s self, name: &str, default: &'s str) -> Result<&'s str> {
        match self.attribute(name, ty::STRING)? {
            None => Ok(default),
            Some(a) => std::str::from_utf8(a.s.as_deref().unwrap_or_default())
                .map_err(|_| Error::file(format!("attribute {name} of {} is not text", self.op()))),
        }
    }
    /// A list of strings.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<&str>>> {
        let Some(found) = self.attribute(name, ty::STRINGS)? else { return Ok(None) };
        let no_text = || Error::file(format!("attribute {name} of {} is not text", self.op()));
        found.strings.iter().map(|s| std::str::from_utf8(s).map_err(|_| no_text())).collect::<Result<_>>().map(Some)
    }
    /// A tensor.
    pub fn tensor(&self, name: &str) -> Result<Option<Tensor>> {
        let Some(a) = self.attribute(name, ty::TENSOR)? else { return Ok(None) };
        let proto =
            a.t.as_ref().ok_or_else(|| Error::file(format!("attribute {name} of {} holds no tensor", self.op())))?;
        tensor_proto::elements(proto, None).map(|t| Some(t.to_dtype(t.dtype().computed())))
    }
    /// Whether an attribute is a tensor whose elements have 4 bits.
    pub fn has_nibbles(&self, name: &str) -> bool {
        let found = self.proto.attribute.iter().find(|a| a.name() == name);
        found.and_then(|a| a.t.as_ref()).is_some_and(tensor_proto::is_nibbles)
    }
    /// A subgraph.
    pub fn graph(&self, name: &str) -> Result<&GraphProto> {
        let found = self.attribute(name, ty::GRAPH)?.and_then(|a| a.g.as_deref());
        found.ok_or_else(|| Error::file(format!("attribute {name} of {} holds no graph", self.op())))
    }
    /// The attribute `axis` as an index into a tensor of this rank.
    pub fn axis(&self, default: i64, rank: usize) -> Result<usize> {
        shape::axis(self.int("axis", default)?, rank)
    }
}

/// What an attribute of this type holds, in words.
fn attribute_type_name(r#type: i32) -> &'static str {
    match r#type {
        ty::FLOAT => "a float",
        ty::INT => "an integer",
        ty::STRING => "a string",
        ty::TENSOR => "a tensor",
        ty::GRAPH => "a graph",
        ty::FLOATS => "a list of floats",
        ty::INTS => "a list of integers",
        ty::STRINGS => "a list of strings",
        _ => "of a type that is not known here",
    }
}

/// Integers as counts.
pub(crate) fn counts(what: &str, list: &[i64]) -> Result<Vec<usize>> {
    let count = |&n: &i64| usize::try_from(n).map_err(|_| Error::file(format!("{what} {list:?} has a negative entry")));
    list.iter().map(count).collect()
}

/// Axes as indices into a tensor of this rank, each once.
pub(crate) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>> {
    let axes = list.iter().map(|&a| shape::axis(a, rank)).collect::<Result<Vec<_>>>()?;
    match axes.iter().enumerate().find(|(k, a)| axes[..*k].contains(a)) {
        Some((_, twice)) => Err(Error::argument(format!("axis {twice} occurs twice in {list:?}"))),
        None => Ok(axes),
    }
}

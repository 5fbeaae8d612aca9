//! Model-local functions: each call is replaced by the nodes of the function's body.
//! <https://onnx.ai/onnx/repo-docs/IR.html#functions>

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use prost::Message;

use super::import::operators;
use super::node::{MOST_NODES, Node, identity, is_default, named, version};
use super::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};
use super::reads::{branches, reads};
use super::registry::Registry;
use super::tensor_proto::{self, Folder};
use crate::error::{Error, Result};

/// How deep functions may call each other: far above what exporters write.
const MOST_NESTED: usize = 64;

/// Bytes of a function's body that count as a node: far above what one takes that holds no constant.
const NODE_BYTES: usize = 1 << 10;

/// What a call names: domain, name, overload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id([String; 3]);

impl Id {
    fn new(domain: &str, name: &str, overload: &str) -> Id {
        let domain = if is_default(domain) { "" } else { domain };
        Id([domain, name, overload].map(str::to_owned))
    }
    fn of(function: &FunctionProto) -> Id {
        Id::new(function.domain(), function.name(), function.overload())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Id([domain, name, overload]) = self;
        write!(f, "{name} of {domain}")?;
        if overload.is_empty() { Ok(()) } else { write!(f, " (overload {overload})") }
    }
}

/// What a node may name besides an operator that is understood: functions of the model, and operators of the program's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    functions: BTreeMap<Id, FunctionProto>,
    pub registry: Registry,
}

impl Definitions {
    /// The functions by name; what they need of other files, which lie in `folder`, is read.
    ///
    /// # Errors
    /// Such a file cannot be read; two functions have the same name; a function calls itself, perhaps through others; calls are
    /// nested too deep.
    pub fn new(protos: Vec<FunctionProto>, registry: Registry, folder: Option<&Folder>) -> Result<Definitions> {
        let mut definitions = Definitions { registry, ..Definitions::default() };
        for mut function in protos {
            function.node.iter_mut().try_for_each(|node| tensor_proto::embed(node, folder))?;
            let id = Id::of(&function);
            if definitions.functions.insert(id.clone(), function).is_some() {
                return Err(Error::file(format!("two functions are named {id}")));
            }
        }
        let mut heights = HashMap::new();
        for function in definitions.functions.values() {
            definitions.height(function, &mut vec![], &mut heights)?;
        }
        Ok(definitions)
    }

    /// The function that a node calls, if it calls one. An operator that is understood needs none, as in ONNX Runtime.
    fn called(&self, node: &NodeProto) -> Option<&FunctionProto> {
        if self.functions.is_empty() || operators::find(node).is_some() || self.registry.find(node).is_some() {
            return None;
        }
        self.functions.get(&Id::new(node.domain(), node.op_type(), node.overload()))
    }

    /// The most calls inside each other that a call of the function leads to, its own included. `path` are the functions
    /// that led here.
    fn height<'f>(
        &'f self,
        function: &'f FunctionProto,
        path: &mut Vec<&'f FunctionProto>,
        known: &mut HashMap<*const FunctionProto, usize>,
    ) -> Result<usize> {
        if let Some(&height) = known.get(&std::ptr::from_ref(function)) {
            return Ok(height);
        }
        if let Some(first) = path.iter().position(|f| std::ptr::eq(*f, function)) {
            let chain: Vec<_> = path[first..].iter().map(|f| Id::of(f).to_string()).collect();
            let text = format!("the function {} calls itself ({})", Id::of(function), chain.join(" -> "));
            return Err(Error::file(text));
        }
        path.push(function);
        let mut height = 1;
        let mut calls = vec![];
        self.calls(&function.node, &mut calls);
        for callee in calls {
            height = height.max(1 + self.height(callee, path, known)?);
            if path.len() + height > MOST_NESTED {
                let text = format!("functions call each other more than {MOST_NESTED} deep, {} is one", Id::of(callee));
                return Err(Error::unsupported(text));
            }
        }
        path.pop();
        known.insert(std::ptr::from_ref(function), height);
        Ok(height)
    }

    /// The functions that nodes call, those in branches included.
    fn calls<'f>(&'f self, nodes: &[NodeProto], found: &mut Vec<&'f FunctionProto>) {
        for node in nodes {
            found.extend(self.called(node));
            branches(node).for_each(|graph| self.calls(&graph.node, found));
        }
    }

    /// The nodes with the bodies of functions in place of their calls. `outside` are names that the nodes may read and not
    /// define, `left` is how many nodes there may be.
    ///
    /// # Errors
    /// A call does not fit its function, or there are more nodes.
    pub fn inline(&self, nodes: Vec<Node>, outside: &[&str], left: &mut usize) -> Result<Vec<Node>> {
        let mut names = if self.functions.is_empty() { Names::default() } else { Names::taken(&nodes, outside) };
        self.expand(nodes, &mut names, left)
    }

    fn expand(&self, nodes: Vec<Node>, names: &mut Names, left: &mut usize) -> Result<Vec<Node>> {
        let mut out = vec![];
        for node in nodes {
            let function = self.called(&node);
            // A body is copied with its constants.
            let copied = function.map_or(0, |f| f.encoded_len() / NODE_BYTES);
            *left = left.checked_sub(1 + copied).ok_or_else(|| {
                let text =
                    format!("the model has more than {MOST_NODES} nodes (those of functions count for each call)");
                Error::unsupported(text)
            })?;
            match function {
                None => out.push(node),
                Some(function) => {
                    let body = body(function, &node, names).map_err(|e| e.at(node.name()))?;
                    out.extend(self.expand(body, names, left)?);
                }
            }
        }
        Ok(out)
    }
}

/// Names of values that are in use, so that those of a function's body get others.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The number that a name was last given.
    last: HashMap<String, usize>,
}

impl Names {
    /// The names that nodes read and define, and those `outside`.
    fn taken(nodes: &[Node], outside: &[&str]) -> Names {
        let made = nodes.iter().flat_map(|n| &n.output).map(String::as_str);
        let used = nodes.iter().flat_map(|n| reads(n)).chain(made);
        let taken = used.chain(outside.iter().copied()).map(str::to_owned).collect();
        Names { taken, last: HashMap::new() }
    }

    /// The name, with a number behind it if it is in use.
    fn fresh(&mut self, name: String) -> String {
        if self.taken.insert(name.clone()) {
            return name;
        }
        let last = self.last.entry(name.clone()).or_default();
        loop {
            *last += 1;
            let numbered = format!("{name}_{last}");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

/// The nodes of a function with the values and attributes of a call.
fn body(function: &FunctionProto, call: &Node, names: &mut Names) -> Result<Vec<Node>> {
    let opset = version(&function.opset_import).map_err(|e| e.within(Id::of(function)))?.unwrap_or(call.opset);
    fits(function, call)?;
    let mut values: HashMap<String, String> = HashMap::new();
    for (k, formal) in function.input.iter().enumerate() {
        values.insert(formal.clone(), call.input.get(k).cloned().unwrap_or_default());
    }
    let mut out = vec![];
    for (formal, actual) in function.output.iter().zip(&call.output).filter(|(_, actual)| !actual.is_empty()) {
        match values.get(formal) {
            // The output is an input, or an output before it: the same value under two names.
            Some(source) => out.push(identity(call, source, actual)),
            None => drop(values.insert(formal.clone(), actual.clone())),
        }
    }
    let mut rename = |name: &mut String| {
        let inner = || names.fresh(format!("{}/{name}", call.name()));
        *name = values.entry(name.clone()).or_insert_with(inner).clone();
    };
    for mut node in named(function.node.clone(), opset) {
        node.proto.name = Some(format!("{}/{}", call.name(), node.name()));
        rename_values(&mut node.proto, &mut rename);
        set_attributes(&mut node.proto, function, call);
        out.push(node);
    }
    Ok(out)
}

/// An error unless the call has no more inputs and outputs than the function.
fn fits(function: &FunctionProto, call: &NodeProto) -> Result<()> {
    let counts = [("inputs", &call.input, &function.input), ("outputs", &call.output, &function.output)];
    match counts.into_iter().find(|(_, given, taken)| given.len() > taken.len()) {
        Some((what, given, taken)) => {
            let (id, taken, given) = (Id::of(function), taken.len(), given.len());
            Err(Error::file(format!("the function {id} has {taken} {what}, the call has {given}")))
        }
        None => Ok(()),
    }
}

/// Renames every value that a node reads or defines, those in its branches included.
fn rename_values(node: &mut NodeProto, rename: &mut impl FnMut(&mut String)) {
    node.input.iter_mut().chain(&mut node.output).filter(|name| !name.is_empty()).for_each(&mut *rename);
    let graphs = node.attribute.iter_mut().filter_map(|a| a.g.as_deref_mut());
    for GraphProto { node, initializer, input, output, .. } in graphs {
        let declared = input.iter_mut().chain(output).map(|v| &mut v.name);
        let held = initializer.iter_mut().map(|t| &mut t.name);
        declared.chain(held).flatten().for_each(&mut *rename);
        node.iter_mut().for_each(|node| rename_values(node, rename));
    }
}

/// Replaces attributes that refer to the function's by those of the call, or by their defaults; where there is neither the
/// node has no such attribute.
fn set_attributes(node: &mut NodeProto, function: &FunctionProto, call: &NodeProto) {
    let value = |name: &str| call.attribute.iter().chain(&function.attribute_proto).find(|a| a.name() == name);
    let set = |mut attribute: AttributeProto| {
        if attribute.ref_attr_name().is_empty() {
            let nested = attribute.g.iter_mut().flat_map(|g| &mut g.node);
            nested.for_each(|node| set_attributes(node, function, call));
            return Some(attribute);
        }
        value(attribute.ref_attr_name()).map(|found| AttributeProto { name: attribute.name, ..found.clone() })
    };
    node.attribute = std::mem::take(&mut node.attribute).into_iter().filter_map(set).collect();
}

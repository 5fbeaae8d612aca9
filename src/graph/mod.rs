//! A network as values and nodes, every shape known.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::ops::{Epilogue, Op};
use crate::shape::{Desc, checked_numel};
use crate::tensor::Tensor;

mod build;
mod pack;
mod parts;
pub mod plan;
pub mod rewrite;
pub mod tuning;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use build::flattened;

/// Index of a value in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize);

/// A tensor of the network: what is known of it before a run.
#[derive(Clone, Debug)]
pub struct Value {
    /// Unique in the graph, as far as the source gives unique names.
    pub name: String,
    /// Shape and type.
    pub desc: Desc,
    /// Its elements, if it is a constant.
    pub constant: Option<Tensor>,
}

/// An operator applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// Names the node in errors, reports and profiles.
    pub name: String,
    /// What it computes.
    pub op: Arc<dyn Op>,
    /// The operator's inputs, then those of the epilogue.
    pub inputs: Vec<ValueId>,
    /// Its results.
    pub outputs: Vec<ValueId>,
    /// What its kernel does to its first output before storing it.
    pub epilogue: Epilogue,
}

/// A network: values, and nodes in an order in which each comes after its inputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<(String, ValueId)>,
    scope: String,
}

impl Graph {
    /// No values yet.
    pub fn new() -> Graph {
        Graph::default()
    }

    fn value(&mut self, name: String, desc: Desc, constant: Option<Tensor>) -> Result<ValueId> {
        if checked_numel(&desc.shape).is_none() {
            return Err(Error::unsupported(format!("{desc} has 2^31 elements or more")).at(name));
        }
        self.values.push(Value { name, desc, constant });
        Ok(ValueId(self.values.len() - 1))
    }

    /// A value that every run is given.
    ///
    /// # Errors
    /// It has 2^31 elements or more.
    pub fn input(&mut self, name: impl Into<String>, desc: Desc) -> Result<ValueId> {
        let id = self.value(name.into(), desc, None)?;
        self.inputs.push(id);
        Ok(id)
    }

    /// A value that is known now.
    ///
    /// # Errors
    /// It has 2^31 elements or more.
    pub fn constant(&mut self, name: impl Into<String>, tensor: Tensor) -> Result<ValueId> {
        self.value(name.into(), tensor.desc(), Some(tensor))
    }

    /// Applies an operator; its outputs, in order.
    ///
    /// # Errors
    /// The inputs do not fit the operator: the error names the node and lists every input's shape.
    pub fn add(&mut self, name: impl Into<String>, op: impl Op + 'static, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        self.add_arc(name.into(), Arc::new(op), inputs)
    }

    /// Applies an operator of one output.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn apply(&mut self, name: impl Into<String>, op: impl Op + 'static, inputs: &[ValueId]) -> Result<ValueId> {
        Ok(self.add(name, op, inputs)?[0])
    }

    pub(crate) fn add_arc(&mut self, name: String, op: Arc<dyn Op>, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let descs: Vec<Desc> = inputs.iter().map(|&i| self.values[i.0].desc.clone()).collect();
        let describe = |e: Error| {
            let shapes: Vec<_> = descs.iter().map(Desc::to_string).collect();
            Error::new(e.kind(), format!("{}({}): {e}", op.name(), shapes.join(", "))).at(name.clone())
        };
        let outputs = op.outputs(&descs).map_err(describe)?;
        let one = outputs.len() == 1;
        let mut ids = vec![];
        for (k, desc) in outputs.into_iter().enumerate() {
            let label = if one { name.clone() } else { format!("{name}:{k}") };
            ids.push(self.value(label, desc, None)?);
        }
        let node = Node { name, op, inputs: inputs.to_vec(), outputs: ids.clone(), epilogue: Epilogue::NONE };
        self.nodes.push(node);
        Ok(ids)
    }

    /// Makes a value a result of every run, under this name.
    pub fn output(&mut self, name: impl Into<String>, value: ValueId) {
        self.outputs.push((name.into(), value));
    }

    /// Drops nodes whose results nothing reads, and the elements of constants that nothing reads.
    pub(crate) fn remove_dead(&mut self) {
        let mut live = vec![false; self.values.len()];
        self.outputs.iter().for_each(|(_, id)| live[id.0] = true);
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.reverse();
        nodes.retain(|node| {
            let needed = node.outputs.iter().any(|id| live[id.0]);
            if needed {
                node.inputs.iter().for_each(|id| live[id.0] = true);
            }
            needed
        });
        nodes.reverse();
        self.nodes = nodes;
        self.values.iter_mut().zip(live).filter(|(_, live)| !live).for_each(|(value, _)| value.constant = None);
    }

    /// What is known of a value.
    pub fn desc(&self, value: ValueId) -> &Desc {
        &self.values[value.0].desc
    }
    /// The shape of a value.
    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.values[value.0].desc.shape
    }
    /// The elements of a value, if it is a constant.
    pub fn constant_of(&self, value: ValueId) -> Option<&Tensor> {
        self.values[value.0].constant.as_ref()
    }
    /// The nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    /// Names and descriptions of what a run is given.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Desc)> {
        self.inputs.iter().map(|id| (self.values[id.0].name.as_str(), &self.values[id.0].desc))
    }
    /// Names and descriptions of what a run gives.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Desc)> {
        self.outputs.iter().map(|(name, id)| (name.as_str(), &self.values[id.0].desc))
    }
    /// Floating-point operations of one run; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        let of = |n: &Node| n.op.flops(&self.descs(&n.inputs), &self.descs(&n.outputs));
        self.nodes.iter().map(of).fold(0, u64::saturating_add)
    }
    /// How many readers each value has, graph outputs included.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let read = self.nodes.iter().flat_map(|n| &n.inputs).chain(self.outputs.iter().map(|(_, id)| id));
        read.for_each(|id| uses[id.0] += 1);
        uses
    }
    pub(crate) fn descs(&self, ids: &[ValueId]) -> Vec<Desc> {
        ids.iter().map(|&i| self.values[i.0].desc.clone()).collect()
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, desc) in self.inputs() {
            writeln!(f, "input  {name}: {desc}")?;
        }
        for n in &self.nodes {
            let list = |ids: &[ValueId]| {
                ids.iter().map(|id| format!("{}{:?}", id.0, self.shape(*id))).collect::<Vec<_>>().join(" ")
            };
            let (from, to) = (list(&n.inputs), list(&n.outputs));
            writeln!(f, "{:<28} {}{}  {from} -> {to}", n.name, n.op.name(), n.epilogue)?;
        }
        for (name, desc) in self.outputs() {
            writeln!(f, "output {name}: {desc}")?;
        }
        Ok(())
    }
}

impl Node {
    /// How many of the inputs are the operator's own; those of the epilogue follow.
    pub fn own_inputs(&self) -> usize {
        self.inputs.len() - self.epilogue.inputs()
    }
}

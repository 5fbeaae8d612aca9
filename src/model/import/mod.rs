//! ONNX nodes to operators: with all shapes known, each node becomes nodes of a [`Graph`], or is evaluated here if all
//! its inputs are known.
//!
//! One file for each family of operators; each exports a table of them, which [`operators`] joins.

use std::collections::HashMap;
use std::sync::Arc;

use super::nodes::{self, Node};
use super::onnx::Model;
use super::registry;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, ValueId};
use crate::memory;
use crate::ops::cast::Cast;
use crate::ops::reshape::Reshape;
use crate::ops::{self, Op};
use crate::session::Given;
use crate::shape::{self, DType, Desc};
use crate::tensor::Tensor;
use extents::Step;

mod activation;
mod arithmetic;
pub(super) mod branch;
pub(super) mod constant;
mod conv;
mod data;
mod einsum;
pub(super) mod extents;
mod linear;
mod masks;
mod microsoft;
mod node_view;
mod norm;
pub(super) mod operators;
mod pool;
mod reduce;
mod reshape;
mod resize;
mod scatter;
pub(super) mod trace;
mod window;

pub(super) use node_view::NodeView;

/// The most elements of all known results of a model, in addition to a few for each element that the file holds: 1 GiB
/// of floats. So the weights of a network as large as vgg19 may come from `ConstantOfShape`.
const FOLDED_ELEMENTS: usize = 1 << 28;

/// The most elements that are read and written while the known results of a model are computed, in addition to a few
/// for each element that the file holds: about a second of the reference's time.
const HANDLED_ELEMENTS: usize = 1 << 24;

/// The most floating-point operations for a known result, in addition to a few per element.
const FOLDED_FLOPS: u64 = 1 << 24;

/// A value during lowering.
#[derive(Clone, Debug)]
pub(crate) enum Val {
    /// Known, on the host.
    Known(Tensor),
    /// Computed on the device in every run.
    Computed(ValueId, Desc),
}

impl Val {
    pub fn desc(&self) -> Desc {
        match self {
            Val::Known(t) => t.desc(),
            Val::Computed(_, desc) => desc.clone(),
        }
    }
    pub fn shape(&self) -> &[usize] {
        match self {
            Val::Known(t) => t.shape(),
            Val::Computed(_, desc) => &desc.shape,
        }
    }
    pub fn rank(&self) -> usize {
        self.shape().len()
    }
    pub fn dtype(&self) -> DType {
        match self {
            Val::Known(t) => t.dtype(),
            Val::Computed(_, desc) => desc.dtype,
        }
    }
    pub fn known(&self) -> Option<&Tensor> {
        match self {
            Val::Known(t) => Some(t),
            Val::Computed(..) => None,
        }
    }
    /// The one element of a known tensor of floats.
    pub fn known_scalar(&self) -> Option<f32> {
        let known = self.known().filter(|t| t.dtype().is_float() && t.numel() == 1)?;
        Some(known.to_f64s()[0] as f32)
    }
}

impl From<Tensor> for Val {
    fn from(t: Tensor) -> Val {
        Val::Known(t)
    }
}

/// The graph that is being built.
pub(crate) struct Import<'m> {
    model: &'m Model,
    graph: Graph,
    /// The node being lowered.
    node: String,
    /// Names of known values by the address of their elements.
    names: HashMap<usize, String>,
    /// Constants already in the graph, by the address of their elements (which the graph keeps alive) and shape.
    constants: HashMap<(usize, Vec<usize>), ValueId>,
    /// Elements that known results may still take.
    room: usize,
    /// Elements that may still be read and written for them.
    work: usize,
    /// Nodes that branches may still have.
    nodes: usize,
    /// How many branches the node being lowered lies in.
    depth: usize,
    /// What was lowered.
    steps: Vec<Step>,
}

/// The graph of `model` for these inputs, and its nodes with the shapes of what they read and give.
fn lower(model: &Model, inputs: &[Given<'_>]) -> Result<(Graph, Vec<Step>)> {
    let names = model.constants.iter().map(|(name, t)| (t.data().address(), name.clone())).collect();
    let held = model.num_parameters();
    let (room, work) = (FOLDED_ELEMENTS + 4 * held, HANDLED_ELEMENTS + 8 * held);
    let (graph, node, constants) = (Graph::new(), String::new(), HashMap::new());
    let nodes = nodes::MOST_NODES;
    let mut import = Import { model, graph, node, names, constants, room, work, nodes, depth: 0, steps: vec![] };
    let mut values: HashMap<&str, Val> = HashMap::new();
    values.extend(model.constants.iter().map(|(name, t)| (name.as_str(), t.clone().into())));
    for Given { name, desc, value } in inputs {
        checked_numel(&desc.shape).map_err(|e| e.within(format_args!("the input {name}")))?;
        let value = match value {
            Some(tensor) => tensor.to_dtype(tensor.dtype().computed()).into(),
            None => {
                let desc = Desc::new(desc.shape.clone(), desc.dtype.computed());
                Val::Computed(import.graph.input(*name, desc.clone())?, desc)
            }
        };
        values.insert(name, value);
    }
    import.lower_nodes(&model.nodes, &mut values)?;
    for output in model.outputs() {
        import.node.clone_from(&output.name);
        let id = import.id(&values[output.name.as_str()])?;
        import.graph.output(&output.name, id);
    }
    // Nodes that only computed shapes, which are known now.
    import.graph.remove_dead();
    Ok((import.graph, import.steps))
}

/// One error for everything that is unsupported, with the first node; a long list is cut off.
fn unsupported(mut problems: Vec<Error>) -> Error {
    let first = problems.remove(0);
    let others = problems.iter().take(99).map(|e| format!("; {e}")).collect::<String>();
    let more = match problems.len().saturating_sub(99) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    first.followed_by(&format!("{others}{more}")).within("not supported")
}

impl Import<'_> {
    /// Lowers nodes, each of which comes after what it reads, and adds their outputs to `values`.
    ///
    /// # Errors
    /// Everything that is not supported, in one error.
    fn lower_nodes<'n>(&mut self, nodes: &'n [Node], values: &mut HashMap<&'n str, Val>) -> Result<()> {
        let mut problems = vec![];
        for node in nodes {
            let known = |name: &String| name.is_empty() || values.contains_key(name.as_str());
            if !node.input.iter().all(known) {
                continue; // what it reads comes from a node with a problem
            }
            let first = self.graph.values.len();
            match self.lower_node(node, values) {
                Ok(outputs) => {
                    self.steps.push(Step::new(node, &view(node, values), &outputs));
                    for (name, value) in node.output.iter().zip(outputs).filter(|(name, _)| !name.is_empty()) {
                        match &value {
                            Val::Known(tensor) => {
                                self.names.entry(tensor.data().address()).or_insert_with(|| name.clone());
                            }
                            // What passes a value on does not rename it.
                            Val::Computed(id, _) if id.0 >= first => self.graph.values[id.0].name.clone_from(name),
                            Val::Computed(..) => {}
                        }
                        values.insert(name, value);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Unsupported => problems.push(e.at(node.name())),
                Err(e) => return Err(e.at(node.name())),
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(unsupported(problems))
    }

    fn lower_node(&mut self, node: &Node, values: &HashMap<&str, Val>) -> Result<Vec<Val>> {
        let view = view(node, values);
        if let Some(make) = self.model.definitions.registry.find(node) {
            let op = registry::Node::lower(&view, make)?;
            self.node = node.name().to_owned();
            let name = op.name();
            let outputs = self.apply_arc(op.into(), &view.present())?;
            if outputs.len() < node.output.len() {
                let (gives, wants) = (outputs.len(), node.output.len());
                let text = format!("the operator {name} is wrong: it gives {gives} outputs, the node lists {wants}");
                return Err(Error::argument(text));
            }
            return Ok(outputs);
        }
        let operator = operators::find(node).expect("the nodes were checked");
        for &k in operator.host {
            if let Some(Val::Computed(_, desc)) = view.optional(k) {
                return Err(trace::not_known(self.model, node, k, desc));
            }
        }
        self.node = node.name().to_owned();
        let first = self.graph.nodes.len();
        let outputs = (operator.lower)(self, &view)?;
        self.name_nodes(first, node.name());
        all_given(node, outputs)
    }

    /// The nodes of a branch, ready to be lowered ([`nodes::ready`]).
    fn ready(&mut self, nodes: Vec<Node>, outputs: &[&str], outside: &[&str]) -> Result<Vec<Node>> {
        nodes::ready(nodes, outputs, &self.model.definitions, outside, &mut self.nodes)
    }

    /// If a node of the model became several nodes of the graph, appends the operator's name to theirs, except to the
    /// only one that is not a view.
    fn name_nodes(&mut self, first: usize, name: &str) {
        let added = &mut self.graph.nodes[first..];
        let several = added.iter().filter(|n| n.name == name && !n.op.is_view()).count() > 1;
        for node in added.iter_mut().filter(|n| n.name == name && (several || n.op.is_view())) {
            node.name = format!("{}/{}", node.name, node.op.name());
        }
    }

    /// Applies an operator of one output.
    pub fn apply(&mut self, op: impl Op + 'static, inputs: &[&Val]) -> Result<Val> {
        Ok(self.apply_all(op, inputs)?.swap_remove(0))
    }

    /// Applies an operator: here if all inputs are known and it is not too much work, else on the device.
    pub fn apply_all(&mut self, op: impl Op + 'static, inputs: &[&Val]) -> Result<Vec<Val>> {
        self.apply_arc(Arc::new(op), inputs)
    }

    fn apply_arc(&mut self, op: Arc<dyn Op>, inputs: &[&Val]) -> Result<Vec<Val>> {
        let descs: Vec<Desc> = inputs.iter().map(|v| v.desc()).collect();
        if descs.iter().any(|d| d.dtype == DType::F64) && op.outputs(&descs).is_err() {
            return self.apply_in_single(op, inputs);
        }
        let known: Option<Vec<Tensor>> = inputs.iter().map(|v| v.known().cloned()).collect();
        if let Some(tensors) = known
            && self.folds(&*op, &tensors)?
        {
            return Ok(ops::evaluate(&*op, &tensors)?.into_iter().map(Val::Known).collect());
        }
        let ids = inputs.iter().map(|v| self.id(v)).collect::<Result<Vec<_>>>()?;
        let outputs = self.graph.add_arc(self.node.clone(), op, &ids)?;
        Ok(outputs.into_iter().map(|id| Val::Computed(id, self.graph.desc(id).clone())).collect())
    }

    /// Applies an operator that has no f64: its floats are f32, and its results f64 again.
    fn apply_in_single(&mut self, op: Arc<dyn Op>, inputs: &[&Val]) -> Result<Vec<Val>> {
        let retyped = |import: &mut Self, v: &Val, from, to| match v.dtype() == from {
            true => import.apply(Cast { to }, &[v]),
            false => Ok(v.clone()),
        };
        let single = inputs.iter().map(|v| retyped(self, v, DType::F64, DType::F32)).collect::<Result<Vec<_>>>()?;
        let outputs = self.apply_arc(op, &single.iter().collect::<Vec<_>>())?;
        outputs.iter().map(|v| retyped(self, v, DType::F32, DType::F64)).collect()
    }

    /// The type that the model declares for a value, where that is a float of 16 bits (which is f32 here).
    pub fn declared_type(&self, name: &str) -> Option<DType> {
        self.model.halves.get(name).copied()
    }

    /// Whether a node of known inputs is evaluated here rather than on the device.
    fn folds(&mut self, op: &dyn Op, inputs: &[Tensor]) -> Result<bool> {
        let descs: Vec<Desc> = inputs.iter().map(Tensor::desc).collect();
        let outputs = op.outputs(&descs).map_err(|e| {
            let shapes: Vec<_> = descs.iter().map(Desc::to_string).collect();
            e.within(format_args!("{}({})", op.name(), shapes.join(", ")))
        })?;
        let made = outputs.iter().try_fold(0, |sum, d| Ok::<_, Error>(sum + checked_numel(&d.shape)?))?;
        let handled = made + inputs.iter().map(Tensor::numel).sum::<usize>();
        let little_work = op.flops(&descs, &outputs) <= FOLDED_FLOPS.max(4 * handled as u64);
        Ok(little_work && (op.is_view() || self.affords_work(handled) && self.affords_room(made)))
    }

    /// Takes `elements` from the room for known results, if it suffices.
    pub fn affords_room(&mut self, elements: usize) -> bool {
        take(&mut self.room, elements)
    }

    /// An error unless the host can hold a known result.
    pub fn affords_memory(&self, shape: &[usize], dtype: DType) -> Result<()> {
        let bytes = (shape::numel(shape) as u64).saturating_mul(dtype.width() as u64);
        memory::afford(bytes, || format!("a constant {}", Desc::new(shape, dtype)))
    }

    /// Takes `elements` from those that may be read and written, if they suffice.
    fn affords_work(&mut self, elements: usize) -> bool {
        take(&mut self.work, elements)
    }

    /// The value in the graph.
    fn id(&mut self, value: &Val) -> Result<ValueId> {
        let tensor = match value {
            Val::Computed(id, _) => return Ok(*id),
            Val::Known(tensor) => tensor,
        };
        let key = (tensor.data().address(), tensor.shape().to_vec());
        if let Some(id) = self.constants.get(&key) {
            return Ok(*id);
        }
        let name = self.names.get(&key.0).cloned().unwrap_or_else(|| format!("{}/constant", self.node));
        let id = self.graph.constant(name, tensor.clone())?;
        self.constants.insert(key, id);
        Ok(id)
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: &Val, shape: &[usize]) -> Result<Val> {
        if x.shape() == shape {
            return Ok(x.clone());
        }
        checked_numel(shape)?;
        self.apply(Reshape { shape: shape.to_vec() }, &[x])
    }
}

/// The node with the values that it reads.
fn view<'n>(node: &'n Node, values: &HashMap<&str, Val>) -> NodeView<'n> {
    NodeView::new(node, node.input.iter().map(|name| values.get(name.as_str()).cloned()).collect())
}

/// The outputs, unless the node names more.
fn all_given(node: &Node, outputs: Vec<Val>) -> Result<Vec<Val>> {
    match node.output.iter().skip(outputs.len()).find(|name| !name.is_empty()) {
        Some(name) => {
            let (op, n) = (node.op_type(), outputs.len());
            Err(Error::unsupported(format!(
                "the node wants the output {name}, of {op} the first {n} are supported here"
            )))
        }
        None => Ok(outputs),
    }
}

/// Subtracts an amount from what is left, if it suffices.
fn take(left: &mut usize, amount: usize) -> bool {
    let rest = left.checked_sub(amount);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

/// The number of elements.
///
/// # Errors
/// There are 2^31 or more, which no device can index, even if extents of 0 are ignored.
fn checked_numel(shape: &[usize]) -> Result<usize> {
    shape::checked_numel(shape)
        .ok_or_else(|| Error::unsupported(format!("a tensor of shape {shape:?} has 2^31 elements or more")))
}

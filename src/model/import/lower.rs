//! The nodes of a model one after the other: each becomes nodes of the graph, or known values; so do those of the branch that an
//! If takes.

use std::collections::HashMap;

use super::context::{Import, checked_numel};
use super::node_view::NodeView;
use super::steps::Step;
use super::val::Val;
use super::{operators, trace};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::model::network::Model;
use crate::model::node::{MOST_NODES, Node, named};
use crate::model::reads::read;
use crate::model::{nodes, order, registry, tensor_proto};
use crate::session::Given;
use crate::shape::Desc;

/// How deep branches may lie in each other: far above what exporters write.
const MOST_NESTED: usize = 64;

/// A model being lowered.
struct Lowering<'m> {
    model: &'m Model,
    import: Import<'m>,
    /// Nodes that branches may still have.
    nodes: usize,
    /// How many branches the node being lowered lies in.
    depth: usize,
    /// What was lowered.
    steps: Vec<Step>,
}

/// The graph of `model` for these inputs, and its nodes with the shapes of what they read and give.
pub(super) fn lower(model: &Model, inputs: &[Given<'_>]) -> Result<(Graph, Vec<Step>)> {
    let names = model.constants.iter().map(|(name, t)| (t.data().address(), name.clone())).collect();
    let mut import = Import::new(names, model.num_parameters(), &model.halves, model.has_u64);
    model.nibbles.iter().filter_map(|name| model.constants.get(name)).for_each(|tensor| import.has_nibbles(tensor));
    let mut lowering = Lowering { model, import, nodes: MOST_NODES, depth: 0, steps: vec![] };
    let mut values: HashMap<&str, Val> = HashMap::new();
    values.extend(model.constants.iter().map(|(name, t)| (name.as_str(), t.clone().into())));
    for Given { name, desc, value } in inputs {
        checked_numel(&desc.shape).map_err(|e| e.within(format_args!("the input {name}")))?;
        let value = match value {
            Some(tensor) => tensor.to_dtype(tensor.dtype().computed()).into(),
            None => {
                let desc = Desc::new(desc.shape.clone(), desc.dtype.computed());
                Val::Computed(lowering.import.graph.input(*name, desc.clone())?, desc)
            }
        };
        values.insert(name, value);
    }
    lowering.lower_nodes(&model.nodes, &mut values)?;
    let Lowering { mut import, steps, .. } = lowering;
    for output in model.outputs() {
        import.node.clone_from(&output.name);
        let id = import.id(&values[output.name.as_str()])?;
        import.graph.output(&output.name, id);
    }
    // Nodes that only computed shapes, which are known now.
    import.graph.remove_dead();
    Ok((import.graph, steps))
}

impl Lowering<'_> {
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
            let first = self.import.graph.values.len();
            let first_node = self.import.graph.nodes.len();
            match self.lower_node(node, values) {
                Ok(outputs) => {
                    self.import.name_values(first_node);
                    self.steps.push(Step::new(node, &view(node, values), &outputs));
                    for (name, value) in node.output.iter().zip(outputs).filter(|(name, _)| !name.is_empty()) {
                        match &value {
                            Val::Known(tensor) => {
                                self.import.names.entry(tensor.data().address()).or_insert_with(|| name.clone());
                            }
                            // What passes a value on does not rename it.
                            Val::Computed(id, _) if id.0 >= first => {
                                self.import.graph.values[id.0].name.clone_from(name)
                            }
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
        Err(operators::unsupported(problems))
    }

    fn lower_node(&mut self, node: &Node, values: &HashMap<&str, Val>) -> Result<Vec<Val>> {
        let view = view(node, values);
        if let Some(make) = self.model.definitions.registry.find(node) {
            let op = registry::Node::lower(&view, make)?;
            self.import.node = node.name().to_owned();
            let name = op.name();
            let outputs = self.import.apply_arc(op.into(), &view.present())?;
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
        self.import.node = node.name().to_owned();
        let first = self.import.graph.nodes.len();
        let outputs = match (operator.lower, self.import.behind(&view)) {
            (Some(lower), Some((behind, by))) => {
                let outputs = lower(&mut self.import, &behind)?;
                self.import.in_front(outputs, by)?
            }
            (Some(lower), None) => lower(&mut self.import, &view)?,
            (None, _) => self.branch(&view)?,
        };
        self.import.name_nodes(first, node.name());
        all_given(node, outputs)
    }

    /// If: the branch that the condition chooses. <https://onnx.ai/onnx/operators/onnx__If.html>
    fn branch(&mut self, node: &NodeView) -> Result<Vec<Val>> {
        let condition = node.host_ints(0)?.unwrap_or_default();
        let &[condition] = &condition[..] else {
            return Err(Error::shape(format!("the condition of If is {}, not one value", node.input(0)?.desc())));
        };
        let graph = node.graph(if condition != 0 { "then_branch" } else { "else_branch" })?;
        let outputs: Vec<&str> = graph.output.iter().map(|v| v.name()).collect();
        let mut values: HashMap<&str, Val> = node.named_inputs().map(|(name, value)| (name, value.clone())).collect();
        let mut inside = named(graph.node.clone(), node.opset);
        inside.iter_mut().for_each(|n| n.proto.name = Some(format!("{}/{}", node.name(), n.name())));
        let outside: Vec<&str> = values.keys().copied().chain(graph.initializer.iter().map(|t| t.name())).collect();
        let inside = nodes::ready(inside, &outputs, &self.model.definitions, &outside, &mut self.nodes)?;
        let read = read(&inside, &outputs);
        for tensor in graph.initializer.iter().filter(|t| read.contains(t.name())) {
            let value = tensor_proto::initialiser(tensor, None)?;
            if tensor_proto::is_nibbles(tensor) {
                self.import.has_nibbles(&value);
            }
            values.insert(tensor.name(), value.into());
        }
        let inside = order::sort(inside, values.keys().copied())?;
        self.depth += 1;
        let lowered = match self.depth > MOST_NESTED {
            true => Err(Error::unsupported(format!("branches of If lie more than {MOST_NESTED} deep in each other"))),
            false => self.lower_nodes(&inside, &mut values),
        };
        self.depth -= 1;
        lowered?;
        let output = |name: &str| {
            values
                .get(name)
                .cloned()
                .ok_or_else(|| Error::file(format!("nothing defines the output {name} of a branch")))
        };
        outputs.into_iter().map(output).collect()
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

//! The values of a graph on the host, where the reference evaluates its nodes.

use crate::error::Result;
use crate::graph::{Graph, Node, ValueId};
use crate::ops::{self, Algorithm, Bounds};
use crate::tensor::Tensor;

/// The values of one run, by their index in the graph.
#[derive(Debug)]
pub struct Values(Vec<Option<Tensor>>);

impl Values {
    /// The constants of a graph, and its inputs.
    pub fn new(graph: &Graph, inputs: &[&Tensor]) -> Values {
        let mut values = Values(graph.values.iter().map(|v| v.constant.clone()).collect());
        values.set(&graph.inputs, inputs.iter().map(|&t| t.clone()));
        values
    }

    /// A value that is known.
    pub fn get(&self, id: ValueId) -> Tensor {
        self.0[id.0].clone().expect("nodes come after their inputs")
    }

    /// The results of the graph.
    pub fn outputs(&self, graph: &Graph) -> Vec<Tensor> {
        graph.outputs.iter().map(|(_, id)| self.get(*id)).collect()
    }

    pub fn set(&mut self, ids: &[ValueId], tensors: impl IntoIterator<Item = Tensor>) {
        ids.iter().zip(tensors).for_each(|(id, tensor)| self.0[id.0] = Some(tensor));
    }

    pub fn free(&mut self, id: ValueId) {
        self.0[id.0] = None;
    }

    /// Evaluates a node whose inputs are known.
    pub fn evaluate(&mut self, node: &Node) -> Result<()> {
        let inputs: Vec<Tensor> = node.inputs.iter().map(|id| self.get(*id)).collect();
        self.set(&node.outputs, evaluate(node, &inputs)?);
        Ok(())
    }
}

/// Evaluates one node on the reference, epilogue included.
fn evaluate(node: &Node, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = ops::evaluate(&*node.op, own).map_err(|e| e.at(node.name.clone()))?;
    if !node.epilogue.is_none() {
        outputs[0] = node.epilogue.reference(inputs, &outputs[0]);
    }
    Ok(outputs)
}

/// Evaluates one node on the reference, with the algorithm's error bound for every output element if it is
/// known, epilogue included.
pub fn evaluate_with_bounds(node: &Node, inputs: &[Tensor], algorithm: Algorithm) -> Result<(Vec<Tensor>, Bounds)> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = ops::evaluate(&*node.op, own).map_err(|e| e.at(node.name.clone()))?;
    let mut bounds = ops::bounds(&*node.op, algorithm, own, &outputs).map_err(|e| e.at(node.name.clone()))?;
    if !node.epilogue.is_none() {
        if let Some(bounds) = &mut bounds {
            bounds[0] = node.epilogue.bounds(inputs, &outputs[0], &bounds[0]);
        }
        outputs[0] = node.epilogue.reference(inputs, &outputs[0]);
    }
    Ok((outputs, bounds))
}

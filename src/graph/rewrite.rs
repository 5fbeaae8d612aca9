//! Rewrites: each a small named rule that makes a graph cheaper without changing what it computes.

use std::collections::HashMap;

use super::{Graph, ValueId};
use crate::ops::unary::{Activation, Unary};

/// Where a rule fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// The rule's name.
    pub rule: &'static str,
    /// The node it changed.
    pub node: String,
}

/// Applies every rule until none fires.
pub fn rewrite(graph: &mut Graph) -> Vec<Firing> {
    activation_into_epilogue(graph)
}

/// An activation whose input has no other use becomes the epilogue of the node before it.
fn activation_into_epilogue(graph: &mut Graph) -> Vec<Firing> {
    let uses = uses(graph);
    let mut maker: HashMap<ValueId, usize> = graph.nodes.iter().enumerate().map(|(i, n)| (n.outputs[0], i)).collect();
    let mut fired = vec![];
    let mut gone = vec![false; graph.nodes.len()];
    for i in 0..graph.nodes.len() {
        let node = &graph.nodes[i];
        let Some(activation) = as_activation(node.op.as_ref()) else { continue };
        let (input, output) = (node.inputs[0], node.outputs[0]);
        let Some(&before) = maker.get(&input) else { continue };
        let target = &mut graph.nodes[before];
        if uses[&input] != 1 || !target.op.takes_epilogue() || target.epilogue.activation != Activation::Identity {
            continue;
        }
        target.epilogue.activation = activation;
        target.outputs[0] = output;
        fired.push(Firing { rule: "activation into epilogue", node: target.name.clone() });
        maker.insert(output, before);
        gone[i] = true;
    }
    let mut keep = gone.iter().map(|g| !g);
    graph.nodes.retain(|_| keep.next().expect("one flag a node"));
    fired
}

fn as_activation(op: &dyn crate::ops::Op) -> Option<Activation> {
    let any: &dyn std::any::Any = op;
    any.downcast_ref::<Unary>().map(|u| u.0)
}

/// How often each value is read, graph outputs included.
fn uses(graph: &Graph) -> HashMap<ValueId, usize> {
    let mut uses = HashMap::new();
    let read = graph.nodes.iter().flat_map(|n| &n.inputs).chain(graph.outputs.iter().map(|(_, id)| id));
    for id in read {
        *uses.entry(*id).or_default() += 1;
    }
    uses
}

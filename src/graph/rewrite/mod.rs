//! Rewrites: each a small named rule that makes a graph cheaper without changing what it computes.

mod batch_norm;
mod decomposed;
mod epilogue;
mod split;
mod views;

pub use split::split_large_weights;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;

use super::{Graph, Node, ValueId};
use crate::ops::Op;
use crate::tensor::Tensor;

/// What a rule did at a node, or why it did not.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// The rule's name.
    pub rule: &'static str,
    /// The node it looked at.
    pub node: String,
    /// Why the rule did not fire, where it came close; `None`: it fired.
    pub declined: Option<&'static str>,
}

impl fmt::Display for Firing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.declined {
            None => write!(f, "{} at {}", self.rule, self.node),
            Some(why) => write!(f, "{} not at {}: {why}", self.rule, self.node),
        }
    }
}

/// A rule's answer at a node.
enum Answer {
    /// Not the rule's pattern.
    No,
    /// The pattern, but something forbids the change.
    Declined(&'static str),
    /// The graph was changed.
    Fired,
}

/// Looks at the node of this index.
type Rule = fn(&mut Graph, &Links, usize) -> Answer;

/// Every rule, in the order in which they are tried.
const RULES: &[(&str, Rule)] = &[
    ("constant folding", views::fold_constants),
    ("identity removed", views::remove_identity),
    ("reshape chain collapsed", views::collapse_reshapes),
    ("transpose chain collapsed", views::collapse_permutes),
    ("pixel shuffle recognised", decomposed::pixel_shuffle),
    ("swish recognised", decomposed::swish),
    ("hard swish recognised", decomposed::hard_swish),
    ("gelu recognised", decomposed::gelu),
    ("global pooling recognised", decomposed::global_pool),
    ("batch norm into the convolution before it", batch_norm::into_convolution_before),
    ("batch norm into the convolution after it", batch_norm::into_convolution_after),
    ("pad into convolution", epilogue::pad_into_convolution),
    ("bias into convolution", epilogue::bias),
    ("activation moved before reshape", epilogue::activation_before_view),
    ("residual into epilogue", epilogue::residual),
    ("activation into epilogue", epilogue::activation),
    ("prelu into epilogue", epilogue::prelu),
];

/// Elements that constants may take after folding, beyond a few for each that they take before: 64 MiB of floats.
const FOLDED_ELEMENTS: usize = 1 << 24;

/// Nodes times firings, which the time that rewriting takes is proportional to: a graph that would need more stays
/// less rewritten, some seconds after it was begun.
const MOST_WORK: usize = 1 << 26;

/// Elements of all constants.
fn held(graph: &Graph) -> usize {
    graph.values.iter().filter_map(|v| v.constant.as_ref()).map(Tensor::numel).sum()
}

/// Applies every rule until none fires, then drops what nothing reads. The answers, firings first.
pub fn rewrite(graph: &mut Graph) -> Vec<Firing> {
    let mut fired = vec![];
    let most = FOLDED_ELEMENTS + 2 * held(graph);
    let most_firings = MOST_WORK / graph.nodes.len().max(1);
    while fired.len() < most_firings
        && let Some(firing) = step(graph, most)
    {
        fired.push(firing);
    }
    let links = Links::of(graph, most);
    let mut declined = vec![];
    for i in 0..graph.nodes.len() {
        for (rule, apply) in RULES {
            if let Answer::Declined(why) = apply(graph, &links, i) {
                declined.push(Firing { rule, node: graph.nodes[i].name.clone(), declined: Some(why) });
            }
        }
    }
    remove_dead(graph);
    fired.into_iter().chain(declined).collect()
}

/// Fires the first rule that can, at the first node where it can.
fn step(graph: &mut Graph, most: usize) -> Option<Firing> {
    let links = Links::of(graph, most);
    let mut names: Vec<String> = graph.nodes.iter().map(|n| n.name.clone()).collect();
    for (rule, apply) in RULES {
        for (i, name) in names.iter_mut().enumerate() {
            if let Answer::Fired = apply(graph, &links, i) {
                remove_dead(graph);
                return Some(Firing { rule, node: std::mem::take(name), declined: None });
            }
        }
    }
    None
}

/// Who makes and who reads every value; how many elements folding may still make.
struct Links {
    room: usize,
    maker: HashMap<ValueId, usize>,
    uses: HashMap<ValueId, usize>,
}

impl Links {
    fn of(graph: &Graph, most: usize) -> Links {
        let outputs = |(i, n): (usize, &Node)| n.outputs.iter().map(move |&o| (o, i)).collect::<Vec<_>>();
        let mut uses = HashMap::new();
        let read = graph.nodes.iter().flat_map(|n| &n.inputs).chain(graph.outputs.iter().map(|(_, id)| id));
        for id in read {
            *uses.entry(*id).or_default() += 1;
        }
        let room = most.saturating_sub(held(graph));
        Links { room, maker: graph.nodes.iter().enumerate().flat_map(outputs).collect(), uses }
    }
    /// The index of the node that makes a value, unless it is an input or a constant.
    fn maker(&self, id: ValueId) -> Option<usize> {
        self.maker.get(&id).copied()
    }
    /// How many readers a value has, graph outputs included.
    fn uses(&self, id: ValueId) -> usize {
        self.uses.get(&id).copied().unwrap_or(0)
    }
}

/// The operator of a node, if it is a `T`.
fn op_as<T: Op>(node: &Node) -> Option<&T> {
    let any: &dyn Any = node.op.as_ref();
    any.downcast_ref()
}

/// The constant behind a value, as the f32 it must be.
fn constant(graph: &Graph, id: ValueId) -> Option<&Tensor> {
    graph.constant_of(id).filter(|t| t.as_f32().is_ok())
}

/// The one number that a constant value consists of.
fn number(graph: &Graph, id: ValueId) -> Option<f32> {
    constant(graph, id).filter(|t| t.numel() == 1).map(|t| t.f32s()[0])
}

/// Makes every reader of `old` read `new`.
fn redirect(graph: &mut Graph, old: ValueId, new: ValueId) {
    let readers = graph.nodes.iter_mut().flat_map(|n| &mut n.inputs).chain(graph.outputs.iter_mut().map(|(_, id)| id));
    readers.filter(|id| **id == old).for_each(|id| *id = new);
}

/// Drops nodes whose results nothing reads, and the elements of constants that nothing reads.
fn remove_dead(graph: &mut Graph) {
    let mut live: std::collections::HashSet<ValueId> = graph.outputs.iter().map(|(_, id)| *id).collect();
    let mut keep = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        if node.outputs.iter().any(|o| live.contains(o)) {
            keep[i] = true;
            live.extend(&node.inputs);
        }
    }
    let mut keep = keep.into_iter();
    graph.nodes.retain(|_| keep.next().expect("one flag a node"));
    let dead = graph.values.iter_mut().enumerate().filter(|(k, _)| !live.contains(&ValueId(*k)));
    dead.for_each(|(_, value)| value.constant = None);
}

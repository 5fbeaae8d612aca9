//! Checks during a run that i64 results fit the 32 bits of a device. Where [`unbounded`] cannot tell before the run, the network
//! gets further outputs: the largest magnitudes of what such a node reads. They bound its results.

use std::fmt;

use super::range::{LIMIT, unbounded};
use super::{Graph, Node, ValueId};
use crate::attr::{Activation, BinaryKind, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::binary::Binary;
use crate::ops::cast::Cast;
use crate::ops::reduce::Reduce;
use crate::ops::select::Where;
use crate::ops::unary::Unary;
use crate::shape::Desc;
use crate::tensor::Tensor;

/// Bounds the results of a node by the largest magnitudes of its inputs.
type Bound = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// One node whose results may not fit.
struct Guard {
    node: String,
    what: String,
    /// For every input, the positions of its extremes among the outputs that were added.
    at: Vec<[usize; 2]>,
    bound: Bound,
}

/// The nodes of a graph whose results are checked in every run.
#[derive(Default)]
pub struct Guards(Vec<Guard>);

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|guard| &guard.node)).finish()
    }
}

impl Guards {
    /// Adds the outputs that the checks need behind those of the graph.
    ///
    /// # Errors
    /// None that a valid graph gives.
    pub fn add(graph: &mut Graph) -> Result<Guards> {
        let mut guards = Guards::default();
        let mut measured: Vec<(ValueId, [usize; 2])> = vec![];
        let mut added = 0;
        let doubtful = unbounded(graph);
        if !doubtful.contains(&true) {
            return Ok(guards);
        }
        for (node, _) in graph.nodes.clone().iter().zip(doubtful).filter(|(_, doubtful)| *doubtful) {
            let exempt = is_counter(graph, node) || graph.descs(&node.inputs).iter().any(Desc::is_empty);
            let Some(bound) = bound(graph, node).filter(|_| !exempt) else { continue };
            let mut at = vec![];
            for id in &node.inputs {
                let known = measured.iter().find(|(m, _)| m == id);
                at.push(match known {
                    Some((_, at)) => *at,
                    None => {
                        let count = measure(graph, &node.name, *id)?;
                        let at = [added, added + count - 1];
                        added += count;
                        measured.push((*id, at));
                        at
                    }
                });
            }
            let what = node.op.call(&graph.descs(&node.inputs));
            guards.0.push(Guard { node: node.name.clone(), what, at, bound });
        }
        Ok(guards)
    }

    /// An error if a result may not fit, by what the added outputs give.
    pub fn check(&self, magnitudes: &[Tensor]) -> Result<()> {
        let one = |k: usize| magnitudes[k].to_f64s().first().map_or(0.0, |v| v.abs());
        let of = |&[a, b]: &[usize; 2]| one(a).max(one(b));
        for guard in &self.0 {
            let bound = (guard.bound)(&guard.at.iter().map(of).collect::<Vec<_>>());
            if bound >= LIMIT {
                let text =
                    "a result may exceed the 32 bits that a GPU has for an i64: run the network on the CPU reference";
                return Err(Error::unsupported(format!("{}: {text}", guard.what)).at(guard.node.clone()));
            }
        }
        Ok(())
    }
}

/// Adds the extremes of a value as outputs, of floats the largest magnitude alone; how many.
fn measure(graph: &mut Graph, node: &str, id: ValueId) -> Result<usize> {
    let name = format!("{node}/extreme");
    let axes: Vec<usize> = (0..graph.shape(id).len()).collect();
    let add = |graph: &mut Graph, x: ValueId, kind: ReduceKind| {
        let most = graph.apply(&name, Reduce { axes: axes.clone(), keep_dims: false, kind }, &[x])?;
        graph.output(format!("{name} {} {kind:?}", id.0), most);
        Ok::<_, Error>(())
    };
    if graph.desc(id).dtype.is_float() {
        let size = graph.apply(format!("{node}/magnitude"), Unary(Activation::Abs), &[id])?;
        // A NaN, which becomes 0, would be the maximum.
        let is_number = graph.apply(format!("{node}/is number"), Binary(BinaryKind::Equal), &[id, id])?;
        let zero = graph.constant(format!("{node}/zero"), Tensor::full([], 0.0))?;
        let size = graph.apply(format!("{node}/number"), Where, &[is_number, size, zero])?;
        add(graph, size, ReduceKind::Max)?;
        return Ok(1);
    }
    add(graph, id, ReduceKind::Max)?;
    add(graph, id, ReduceKind::Min)?;
    Ok(2)
}

/// An input of the graph plus 1, as layers count their batches: it would take 2^31 of them.
fn is_counter(graph: &Graph, node: &Node) -> bool {
    let one = |id: &ValueId| graph.constant_of(*id).is_some_and(|t| t.numel() == 1 && t.to_f64s() == [1.0]);
    matches!(node.op.downcast(), Some(Binary(BinaryKind::Add)))
        && graph.inputs.contains(&node.inputs[0])
        && one(&node.inputs[1])
}

/// How the magnitudes of a node's inputs bound its results; `None` for an operator that [`unbounded`] does not know.
fn bound(graph: &Graph, node: &Node) -> Option<Bound> {
    if node.op.downcast::<Cast>().is_some() {
        return Some(Box::new(|m| m[0]));
    }
    if let Some(Binary(kind)) = node.op.downcast() {
        return Some(match kind {
            BinaryKind::Add | BinaryKind::Sub => Box::new(|m| m[0] + m[1]),
            BinaryKind::Pow => Box::new(|m| m[0].max(1.0).powf(m[1])),
            _ => Box::new(|m| m[0] * m[1]),
        });
    }
    let reduce: &Reduce = node.op.downcast()?;
    let count = graph.desc(node.inputs[0]).numel() as f64 / graph.desc(node.outputs[0]).numel().max(1) as f64;
    Some(match reduce.kind {
        ReduceKind::Prod => Box::new(move |m| m[0].max(1.0).powf(count)),
        ReduceKind::SumSquare => Box::new(move |m| m[0] * m[0] * count),
        _ => Box::new(move |m| m[0] * count),
    })
}

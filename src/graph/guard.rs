//! Checks during a run that i64 results fit the 32 bits of a device, and that indices are inside their axis. Where
//! [`unbounded`] and [`outside`] cannot tell before the run, the network gets further outputs: the extremes of what such a node
//! reads. They bound its results, or are the indices themselves.

use std::fmt;

use super::range::{Bounded, LIMIT, outside, unbounded};
use super::{Graph, Node, ValueId};
use crate::attr::{Activation, BinaryKind, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::binary::Binary;
use crate::ops::cast::Cast;
use crate::ops::matmul::MatMul;
use crate::ops::reduce::Reduce;
use crate::ops::select::Where;
use crate::ops::unary::Unary;
use crate::shape::Desc;
use crate::tensor::Tensor;

/// Bounds the results of a node by the largest magnitudes of its inputs.
type Bound = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// One node that may be wrong on a device.
struct Guard {
    node: String,
    what: String,
    /// For every input that is measured, the positions of its extremes among the outputs that were added: the largest, the
    /// smallest.
    at: Vec<[usize; 2]>,
    check: Check,
}

/// What must hold.
enum Check {
    /// The results fit 32 bits.
    Fits(Bound),
    /// The indices, or lengths, are within their range.
    Inside(Bounded),
}

/// Outputs that are added to a graph: the extremes of values, each once.
#[derive(Default)]
struct Measured {
    values: Vec<(ValueId, [usize; 2])>,
    count: usize,
}

impl Measured {
    /// Where the extremes of a value are.
    fn of(&mut self, graph: &mut Graph, node: &str, id: ValueId) -> Result<[usize; 2]> {
        if let Some((_, at)) = self.values.iter().find(|(known, _)| *known == id) {
            return Ok(*at);
        }
        let count = measure(graph, node, id)?;
        let at = [self.count, self.count + count - 1];
        self.count += count;
        self.values.push((id, at));
        Ok(at)
    }
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
        let mut measured = Measured::default();
        let (unbounded, outside) = (unbounded(graph), outside(graph));
        if !unbounded.contains(&true) && outside.iter().all(Option::is_none) {
            return Ok(guards);
        }
        for (k, node) in graph.nodes.clone().iter().enumerate() {
            let (read, check) = match &outside[k] {
                Some(bounded) => (std::slice::from_ref(&bounded.value), Check::Inside(bounded.clone())),
                None if !unbounded[k] || is_counter(graph, node) => continue,
                None if graph.descs(&node.inputs).iter().any(Desc::is_empty) => continue,
                None => match bound(graph, node) {
                    Some(bound) => (&node.inputs[..], Check::Fits(bound)),
                    None => continue,
                },
            };
            let at = read.iter().map(|id| measured.of(graph, &node.name, *id)).collect::<Result<_>>()?;
            let what = node.op.call(&graph.descs(&node.inputs));
            guards.0.push(Guard { node: node.name.clone(), what, at, check });
        }
        Ok(guards)
    }

    /// An error if a result may not fit, or an index is outside its axis, by what the added outputs give.
    pub fn check(&self, extremes: &[Tensor]) -> Result<()> {
        let one = |k: usize| extremes[k].to_f64s().first().copied().unwrap_or(0.0);
        for Guard { node, what, at, check } in &self.0 {
            match check {
                Check::Fits(bound) => {
                    let magnitude = |&[a, b]: &[usize; 2]| one(a).abs().max(one(b).abs());
                    if bound(&at.iter().map(magnitude).collect::<Vec<_>>()) >= LIMIT {
                        let text = "a result may exceed the 32 bits that a GPU has for an i64: run the network on the CPU \
                                    reference";
                        return Err(Error::unsupported(format!("{what}: {text}")).at(node.clone()));
                    }
                }
                Check::Inside(bounded) => bounded.check(at[0].map(|k| one(k) as i64), node)?,
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
            BinaryKind::ShiftLeft => Box::new(|m| m[0] * m[1].exp2()),
            kind if kind.is_logical() => Box::new(|m| m[0].max(m[1])),
            _ => Box::new(|m| m[0] * m[1]),
        });
    }
    if node.op.downcast::<MatMul>().is_some() {
        let k = graph.shape(node.inputs[0]).last().copied().unwrap_or(1) as f64;
        return Some(Box::new(move |m| m[0] * m[1] * k));
    }
    let reduce: &Reduce = node.op.downcast()?;
    let count = graph.desc(node.inputs[0]).numel() as f64 / graph.desc(node.outputs[0]).numel().max(1) as f64;
    Some(match reduce.kind {
        ReduceKind::Prod => Box::new(move |m| m[0].max(1.0).powf(count)),
        ReduceKind::SumSquare => Box::new(move |m| m[0] * m[0] * count),
        _ => Box::new(move |m| m[0] * count),
    })
}

//! Checks during a run that i64 results fit the 32 bits of a device. Where [`unbounded`] cannot tell before the run, the network
//! gets further outputs: the largest magnitudes of what such a node reads. They bound its results.

use std::any::Any;

use super::range::{LIMIT, unbounded};
use super::{Graph, Node, ValueId};
use crate::error::{Error, Result};
use crate::ops::binary::{Binary, BinaryKind};
use crate::ops::cast::Cast;
use crate::ops::reduce::{Kind, Reduce};
use crate::ops::unary::{Activation, Unary};
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// A magnitude that was rounded to f32 may be larger by this factor.
const ROUNDED: f64 = 1.0 + 1e-6;

/// Bounds the results of a node by the largest magnitudes of its inputs.
type Bound = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// One node whose results may not fit.
struct Guard {
    node: String,
    what: String,
    /// Positions of the magnitudes among the outputs that were added.
    at: Vec<usize>,
    bound: Bound,
}

/// The nodes of a graph whose results are checked in every run.
#[derive(Default)]
pub struct Guards(Vec<Guard>);

impl Guards {
    /// Adds the outputs that the checks need behind those of the graph.
    ///
    /// # Errors
    /// None that a valid graph gives.
    pub fn add(graph: &mut Graph) -> Result<Guards> {
        let mut guards = Guards::default();
        let mut measured: Vec<ValueId> = vec![];
        let doubtful = unbounded(graph);
        for (node, _) in graph.nodes.clone().iter().zip(doubtful).filter(|(_, doubtful)| *doubtful) {
            let Some(bound) = bound(graph, node) else { continue };
            let mut at = vec![];
            for id in &node.inputs {
                let known = measured.iter().position(|m| m == id);
                at.push(match known {
                    Some(k) => k,
                    None => {
                        measure(graph, &node.name, *id)?;
                        measured.push(*id);
                        measured.len() - 1
                    }
                });
            }
            let shapes: Vec<_> = graph.descs(&node.inputs).iter().map(Desc::to_string).collect();
            let what = format!("{}({})", node.op.name(), shapes.join(", "));
            guards.0.push(Guard { node: node.name.clone(), what, at, bound });
        }
        Ok(guards)
    }

    /// An error if a result may not fit, by what the added outputs give.
    pub fn check(&self, magnitudes: &[Tensor]) -> Result<()> {
        let of = |k: &usize| magnitudes[*k].to_f64s().first().copied().unwrap_or(0.0) * ROUNDED;
        for guard in &self.0 {
            let bound = (guard.bound)(&guard.at.iter().map(of).collect::<Vec<_>>());
            if bound >= LIMIT * ROUNDED {
                let text =
                    "a result may exceed the 32 bits that a GPU has for an i64: run the network on the CPU reference";
                return Err(Error::unsupported(format!("{}: {text}", guard.what)).at(guard.node.clone()));
            }
        }
        Ok(())
    }
}

/// Adds the largest magnitude of a value as an output.
fn measure(graph: &mut Graph, node: &str, id: ValueId) -> Result<()> {
    let name = format!("{node}/magnitude");
    let float =
        if graph.desc(id).dtype.is_float() { id } else { graph.apply(&name, Cast { to: DType::F32 }, &[id])? };
    let size = graph.apply(&name, Unary(Activation::Abs), &[float])?;
    let axes = (0..graph.shape(size).len()).collect();
    let most = graph.apply(&name, Reduce { axes, keep_dims: false, kind: Kind::Max }, &[size])?;
    graph.output(format!("{name} of {}", id.0), most);
    Ok(())
}

/// How the magnitudes of a node's inputs bound its results; `None` for an operator that [`unbounded`] does not know.
fn bound(graph: &Graph, node: &Node) -> Option<Bound> {
    let any: &dyn Any = node.op.as_ref();
    if any.downcast_ref::<Cast>().is_some() {
        return Some(Box::new(|m| m[0]));
    }
    if let Some(Binary(kind)) = any.downcast_ref() {
        return Some(match kind {
            BinaryKind::Add | BinaryKind::Sub => Box::new(|m| m[0] + m[1]),
            BinaryKind::Pow => Box::new(|m| m[0].max(1.0).powf(m[1])),
            _ => Box::new(|m| m[0] * m[1]),
        });
    }
    let reduce: &Reduce = any.downcast_ref()?;
    let count = graph.desc(node.inputs[0]).numel() as f64 / graph.desc(node.outputs[0]).numel().max(1) as f64;
    Some(match reduce.kind {
        Kind::Prod => Box::new(move |m| m[0].max(1.0).powf(count)),
        Kind::SumSquare => Box::new(move |m| m[0] * m[0] * count),
        _ => Box::new(move |m| m[0] * count),
    })
}

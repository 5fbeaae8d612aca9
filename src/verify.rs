//! Comparison of what a device computed with what it should have.

pub mod network;

use std::fmt;

use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::plan::PlanOptions;
use crate::graph::{Graph, Node};
use crate::ops::Algorithm;
use crate::reference::UNIT;
use crate::session::{CompileOptions, Compiled, evaluate_with_bounds};
use crate::shape::{Layout, unravel};
use crate::tensor::Tensor;

/// Element-wise comparison of a tensor with its expected value.
#[derive(Clone, Debug)]
#[must_use = "a comparison that nobody looks at checks nothing"]
pub struct Comparison {
    /// Elements compared.
    pub elements: usize,
    /// Elements outside their bound.
    pub wrong: usize,
    /// The largest ratio of error to bound, over elements that have a bound above 0.
    pub worst: f64,
    /// The first wrong elements: index, actual, expected, bound.
    pub first: Vec<(Vec<usize>, f64, f64, f64)>,
    /// Set if shape or type differ; then nothing was compared.
    pub mismatch: Option<String>,
}

/// Compares element by element: `|actual - expected| <= bound`, where NaN equals NaN and infinities equal themselves.
/// An expected value rounded to f32 adds half an ulp to its bound if the bound is not 0.
pub fn compare(actual: &Tensor, expected: &Tensor, bounds: &[f32]) -> Comparison {
    let mut out = Comparison { elements: expected.numel(), wrong: 0, worst: 0.0, first: vec![], mismatch: None };
    if actual.desc() != expected.desc() || bounds.len() != expected.numel() {
        out.mismatch = Some(format!("is {}, expected {}", actual.desc(), expected.desc()));
        return out;
    }
    for (i, ((a, e), &b)) in actual.to_f64s().into_iter().zip(expected.to_f64s()).zip(bounds).enumerate() {
        let bound = f64::from(b) + if b > 0.0 { UNIT * e.abs() } else { 0.0 };
        let error = (a - e).abs();
        if a == e || (a.is_nan() && e.is_nan()) {
            continue;
        }
        if error <= bound && e.is_finite() {
            out.worst = out.worst.max(error / bound);
            continue;
        }
        out.wrong += 1;
        if out.first.len() < 16 {
            out.first.push((unravel(i, expected.shape()), a, e, bound));
        }
    }
    out
}

impl Comparison {
    /// Whether every element is within its bound.
    pub fn ok(&self) -> bool {
        self.wrong == 0 && self.mismatch.is_none()
    }
    /// An error that shows the first wrong elements.
    ///
    /// # Errors
    /// There is a wrong element.
    pub fn into_result(self) -> Result<Comparison> {
        if self.ok() { Ok(self) } else { Err(Error::new(ErrorKind::Check, self.to_string())) }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mismatch) = &self.mismatch {
            return f.write_str(mismatch);
        }
        write!(f, "{} of {} elements wrong", self.wrong, self.elements)?;
        for (index, actual, expected, bound) in &self.first {
            write!(f, "\n  at {index:?}: {actual} for {expected} (bound {bound:.3e})")?;
        }
        Ok(())
    }
}

/// A graph of one node of `graph`, its non-constant inputs becoming inputs of the graph named `0`, `1`, ...
pub fn isolate(graph: &Graph, node: &Node) -> Result<Graph> {
    let mut out = Graph::new();
    let mut ids = vec![];
    for (k, id) in node.inputs.iter().enumerate() {
        ids.push(match graph.constant_of(*id) {
            Some(tensor) => out.constant(format!("{k}"), tensor.clone())?,
            None => out.input(format!("{k}"), graph.desc(*id).clone())?,
        });
    }
    let outputs = out.add_arc(node.name.clone(), node.op.clone(), &ids[..node.own_inputs()])?;
    let last = out.nodes.last_mut().expect("just added");
    last.inputs = ids;
    last.epilogue = node.epilogue.clone();
    for (k, id) in outputs.into_iter().enumerate() {
        out.output(format!("{k}"), id);
    }
    Ok(out)
}

/// What one way of computing one node gave.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The kernels.
    pub kernels: String,
    /// Actual against expected, one an output.
    pub comparisons: Vec<Comparison>,
    /// What the device computed.
    pub outputs: Vec<Tensor>,
    /// The algorithm of the kernels.
    pub algorithm: Algorithm,
}

/// Which of its kernels a node is checked with.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The position among the operator's alternatives; `None`: the one a plan takes.
    pub alternative: Option<usize>,
    /// The layout every input of the node has before; row-major where there are fewer.
    pub layouts: Vec<Layout>,
}

impl Way {
    /// How a graph of one node is planned for this way.
    pub fn plan(&self, single: &Graph) -> PlanOptions {
        let variable = single.nodes[0].inputs.iter().enumerate().filter(|(_, id)| single.constant_of(**id).is_none());
        let layout = |k: usize| self.layouts.get(k).copied().unwrap_or(Layout::RowMajor);
        let input_layouts = variable.map(|(k, _)| layout(k)).collect();
        PlanOptions { alternative: self.alternative, input_layouts, ..PlanOptions::default() }
    }
}

/// Runs a node on a device with the inputs given, in guarded memory, and compares with the reference.
pub async fn check_node(device: &Device, graph: &Graph, node: &Node, inputs: &[Tensor], way: &Way) -> Result<Checked> {
    check_against(device, &isolate(graph, node)?, inputs, &Expected::of(node, inputs)?, way).await
}

/// What a node's outputs must be.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The outputs, by the reference.
    pub outputs: Vec<Tensor>,
    /// The largest absolute error of every element, by one algorithm.
    pub bounds: Vec<Vec<f32>>,
}

impl Expected {
    /// What the reference gives for these inputs, with the bounds of [`Algorithm::Direct`].
    ///
    /// # Errors
    /// The inputs do not fit the node.
    pub fn of(node: &Node, inputs: &[Tensor]) -> Result<Expected> {
        Expected::by(Algorithm::Direct, node, inputs)
    }

    fn by(algorithm: Algorithm, node: &Node, inputs: &[Tensor]) -> Result<Expected> {
        let (outputs, bounds) = evaluate_with_bounds(node, inputs, algorithm)?;
        Ok(Expected { outputs, bounds })
    }
}

/// As [`check_node`], for a graph of one node (see [`isolate`]) whose answer is known already, with the bounds of
/// [`Algorithm::Direct`]; another algorithm's are computed where a kernel names it.
pub async fn check_against(
    device: &Device,
    single: &Graph,
    inputs: &[Tensor],
    expected: &Expected,
    way: &Way,
) -> Result<Checked> {
    let plan = PlanOptions { guarded: true, ..way.plan(single) };
    let options = CompileOptions { rewrite: false, plan, ..CompileOptions::default() };
    let session = Compiled::new_async(device, single.clone(), &options).await?;
    let names: Vec<String> = (0..inputs.len()).map(|k| k.to_string()).collect();
    let given: Vec<_> = session
        .graph()
        .inputs()
        .map(|(name, _)| {
            let k = names.iter().position(|n| n == name).expect("isolate names inputs by number");
            (names[k].as_str(), &inputs[k])
        })
        .collect();
    let outputs: Vec<Tensor> = session.run_async(&given).await?.0.into_iter().map(|(_, t)| t).collect();
    let planned = session.plan().and_then(|p| p.nodes.first());
    let algorithm = planned.map_or(Algorithm::Direct, |n| n.chosen.algorithm);
    let own = match algorithm {
        Algorithm::Direct => None,
        other => Some(Expected::by(other, &single.nodes[0], inputs)?),
    };
    let Expected { outputs: values, bounds } = own.as_ref().unwrap_or(expected);
    let pairs = values.iter().zip(bounds);
    let comparisons = outputs.iter().zip(pairs).map(|(a, (e, b))| compare(a, e, b)).collect();
    let kernels = planned.map_or("reference".to_owned(), |n| n.kernels.clone());
    Ok(Checked { kernels, comparisons, outputs, algorithm })
}

/// How many ways a device has to compute a node.
pub fn alternatives(device: &Device, graph: &Graph, node: &Node) -> Result<usize> {
    let Some(gpu) = device.gpu() else { return Ok(1) };
    let plan = crate::graph::plan::Plan::new(&isolate(graph, node)?, gpu.caps(), &PlanOptions::default())?;
    Ok(plan.nodes[0].alternatives)
}

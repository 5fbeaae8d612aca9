//! Choosing kernels by measurement: opt-in, per adapter, among those that are correct on the node's shape.

use super::case::Case;
use super::race::{Contestant, Effort, race};
use super::samples::seconds;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::graph::rewrite::rewrite;
use crate::ops::Variant;
use crate::plan::tuning::Tuning;
use crate::plan::{Plan, PlanOptions, PlannedNode};
use crate::shape::Precision;
use crate::verify::node::{Expected, check_against};

/// Operators whose kernels are tuned.
const TUNED: &[&str] = &["conv2d", "conv_transpose2d", "matmul"];

/// The result for one kind of node.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The first node of the kind.
    pub node: String,
    /// Kernels of the static choice: the one without tuning.
    pub fixed: String,
    /// Seconds of the static choice, median.
    pub fixed_seconds: f64,
    /// Kernels of the fastest variant, which may be the static choice.
    pub best: String,
    /// Seconds of the fastest, median.
    pub best_seconds: f64,
    /// Candidates left out because their result was wrong.
    pub wrong: usize,
    /// The node's key in a [`Tuning`], and the signatures of the fastest and of the static choice.
    pub key: String,
    #[allow(missing_docs)]
    pub best_signature: String,
    #[allow(missing_docs)]
    pub fixed_signature: String,
}

/// Times the candidates of every convolution and matrix product of a network, and tells `learned` the result of each.
///
/// Candidates take the same layouts and precision as the static choice in the network's plan: whether another layout is
/// faster depends on the nodes around, not on this node. `progress` is called with the name of each node before it is
/// measured.
///
/// # Errors
/// The device is the reference or is lost; those of `learned`.
pub async fn tune(
    device: &Device,
    graph: &Graph,
    precision: Precision,
    effort: &Effort,
    learned: &mut dyn FnMut(&Tuned) -> Result<()>,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Tuned>> {
    let gpu = device.gpu().ok_or_else(|| Error::argument("the reference has no kernels to choose from"))?;
    let mut rewritten = graph.clone();
    rewrite(&mut rewritten);
    let planned = Plan::new(&rewritten, gpu.caps(), &PlanOptions { precision, ..Default::default() })?;
    let mut found = vec![];
    let mut seen = std::collections::HashSet::new();
    for (position, (node, plan)) in rewritten.nodes().iter().zip(&planned.nodes).enumerate() {
        let Some(key) = Tuning::key(&rewritten, node, precision) else { continue };
        if plan.alternatives < 2 || !TUNED.contains(&node.op.name()) || !seen.insert(key.clone()) {
            continue;
        }
        progress(&node.name);
        let tuned = tune_node(device, &rewritten, position, plan, key, precision, effort).await?;
        learned(&tuned)?;
        found.push(tuned);
    }
    Ok(found)
}

/// Times the candidates of one node.
async fn tune_node(
    device: &Device,
    graph: &Graph,
    position: usize,
    planned: &PlannedNode,
    key: String,
    precision: Precision,
    effort: &Effort,
) -> Result<Tuned> {
    let node = &graph.nodes()[position];
    let case = Case::of_node(graph, position, &planned.layouts)?.stored_in(precision);
    let fixed = &planned.chosen;
    let expected = Expected::of(node, &case.values)?;
    let caps = device.gpu().expect("checked by the caller").caps();
    let mut candidates = vec![];
    let mut wrong = 0;
    for k in 0.. {
        let plan = Plan::new(&case.graph, caps, &case.setup(k).plan(&case.graph))?.nodes.remove(0);
        if k >= plan.alternatives {
            break;
        }
        let form = |a: &Variant| (a.precision, a.inputs.clone(), a.outputs.clone());
        if form(&plan.chosen) != form(fixed) {
            continue;
        }
        match check_against(device, &case.graph, &case.values, &expected, &case.setup(k)).await {
            Ok(c) if c.comparisons.iter().all(|c| c.ok()) => candidates.push((k, plan.chosen)),
            Err(e) if e.kind() == crate::error::ErrorKind::DeviceLost => return Err(e),
            _ => wrong += 1,
        }
    }
    let mut contestants: Vec<Contestant<'_>> = vec![];
    for (k, _) in &candidates {
        let fastest = contestants.iter().map(|c| c.guess).fold(f64::INFINITY, f64::min);
        contestants.push(Contestant::new(device, &case, *k, fastest).await?);
    }
    race(&mut contestants, effort).await?;
    let times: Vec<f64> = contestants.iter().map(|c| seconds(c.kernel.median())).collect();
    let none = || Error::new(crate::error::ErrorKind::Check, "every kernel gives a wrong result").at(node.name.clone());
    let best = (0..times.len()).min_by(|&a, &b| times[a].total_cmp(&times[b])).ok_or_else(none)?;
    let first = candidates.iter().position(|(_, a)| a.signature() == fixed.signature());
    Ok(Tuned {
        node: node.name.clone(),
        fixed: fixed.kernels(),
        fixed_seconds: first.map_or(f64::NAN, |i| times[i]),
        best: candidates[best].1.kernels(),
        best_seconds: times[best],
        wrong,
        key,
        best_signature: candidates[best].1.signature(),
        fixed_signature: fixed.signature(),
    })
}

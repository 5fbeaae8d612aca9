//! Choosing kernels by measurement: opt-in, per adapter, among those that are correct on the node's shape.

use super::case::Case;
use super::open_device::{Listed, OpenDevice, Stopped, without_lost};
use super::race::{Contestant, Effort, by_one_clock, clock, race};
use super::samples::{Samples, fastest, seconds};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::clock::Clock;
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
    /// The clock of both, and of all nodes that were tuned together.
    pub clock: Clock,
    /// Candidates left out because their result was wrong.
    pub wrong: usize,
    /// Kernels of the candidates left out because they lost the device.
    pub lost: Vec<String>,
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
/// measured. Should the device's clock fail meanwhile, all nodes are measured again by the host's.
///
/// # Errors
/// The device is the reference; it is lost and cannot be opened again; those of `learned`.
pub async fn tune(
    device: &OpenDevice<'_>,
    graph: &Graph,
    precision: Precision,
    effort: &Effort,
    learned: &mut dyn FnMut(&Tuned) -> Result<()>,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Tuned>> {
    let first = device.device();
    let gpu = first.gpu().ok_or_else(|| Error::argument("the reference has no kernels to choose from"))?;
    let mut rewritten = graph.clone();
    rewrite(&mut rewritten);
    let planned = Plan::new(&rewritten, gpu.caps(), &PlanOptions { precision, ..Default::default() })?;
    let all = async |_| {
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
    };
    by_one_clock(async || clock(&device.device()).await, all).await
}

/// Times the candidates of one node.
async fn tune_node(
    device: &OpenDevice<'_>,
    graph: &Graph,
    position: usize,
    planned: &PlannedNode,
    key: String,
    precision: Precision,
    effort: &Effort,
) -> Result<Tuned> {
    let node = &graph.nodes()[position];
    let case = Case::of_node(graph, position, &planned.layouts)?.stored_in(precision);
    let expected = Expected::of(node, &case.values)?;
    let fixed = &planned.chosen;
    let list = |device: &Device| candidates(device, &case, fixed);
    let attempt = async |device: &Device, listed: &[Listed]| {
        let right = right(device, &case, &expected, listed).await?;
        Ok((time(device, &case, listed, &right, effort).await?, right, listed.to_vec()))
    };
    let ((times, right, listed), lost) = without_lost(device, list, attempt).await?;
    let none = || {
        let text = "every kernel gives a wrong result or loses the device";
        Error::new(ErrorKind::Check, text).at(node.name.clone())
    };
    let best = fastest(&times).ok_or_else(none)?;
    let seconds = |k: usize| seconds(times[k].median());
    let first = right.iter().position(|&place| listed[place].signature == fixed.signature());
    let winner = &listed[right[best]];
    Ok(Tuned {
        node: node.name.clone(),
        fixed: fixed.kernels(),
        fixed_seconds: first.map_or(f64::NAN, seconds),
        best: winner.kernels.clone(),
        best_seconds: seconds(best),
        clock: clock(&device.device()).await?,
        wrong: listed.len() - right.len(),
        lost: lost.into_iter().map(|lost| lost.kernels).collect(),
        key,
        best_signature: winner.signature.clone(),
        fixed_signature: fixed.signature(),
    })
}

/// The variants with the layouts and the precision of the static choice.
fn candidates(device: &Device, case: &Case, fixed: &Variant) -> Result<Vec<Listed>> {
    let form = |a: &Variant| (a.precision, a.inputs.clone(), a.outputs.clone());
    let mut listed = vec![];
    for alternative in 0.. {
        let Some(plan) = case.planned(device, alternative)? else { break };
        if form(&plan.chosen) == form(fixed) {
            let (signature, kernels) = (plan.chosen.signature(), plan.chosen.kernels());
            listed.push(Listed { alternative, signature, kernels });
        }
    }
    Ok(listed)
}

/// The places of the candidates whose results are right.
async fn right(device: &Device, case: &Case, expected: &Expected, listed: &[Listed]) -> Result<Vec<usize>, Stopped> {
    let mut right = vec![];
    for (place, one) in listed.iter().enumerate() {
        match check_against(device, &case.graph, &case.values, expected, &case.setup(one.alternative)).await {
            Ok(c) if c.comparisons.iter().all(|c| c.ok()) => right.push(place),
            Err(e) if e.kind() == ErrorKind::DeviceLost => return Err(Stopped::by(place)(e)),
            _ => {}
        }
    }
    Ok(right)
}

/// The times of the candidates at these places.
async fn time(
    device: &Device,
    case: &Case,
    listed: &[Listed],
    right: &[usize],
    effort: &Effort,
) -> Result<Vec<Samples>, Stopped> {
    let mut contestants: Vec<Contestant<'_>> = vec![];
    for &place in right {
        let fastest = contestants.iter().map(|c| c.guess).fold(f64::INFINITY, f64::min);
        let made = Contestant::new(device, case, listed[place].alternative, fastest).await;
        contestants.push(made.map_err(Stopped::by(place))?);
    }
    let raced = race(&mut contestants, effort).await;
    raced.map_err(|stopped| Stopped { by: stopped.by.map(|k| right[k]), ..stopped })?;
    Ok(contestants.into_iter().map(|c| c.kernel).collect())
}

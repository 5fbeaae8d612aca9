//! From a graph to a recording, in stages of which each prints: [`choose`] a variant per node, [`lower`] them to steps, [`elide`]
//! copies, find [`lifetime`]s, [`pack`] the tensors, and [`record`] buffers and commands.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::caps::Caps;
use crate::gpu::recording::Recording;
use crate::graph::Graph;
use crate::ops::Variant;
use crate::shape::{Desc, Layout, Precision};

mod choose;
mod elide;
mod lifetime;
mod lower;
mod pack;
mod parts;
mod record;
pub mod stages;
pub mod tuning;

use choose::Choice;
use lower::{Lowered, Owner};
use record::Packing;
use tuning::Tuning;

/// How a tensor lies in a buffer: its layout and the width of its floats.
type Form = (Layout, Precision);

const ROW_MAJOR: Form = (Layout::RowMajor, Precision::F32);

/// How a graph is planned.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Takes this variant of every operator (the last if there are fewer) instead of the first.
    pub alternative: Option<usize>,
    /// Converts the graph's inputs to these layouts first, in order; row-major where the list is shorter. Operators
    /// then choose their kernels as in the middle of a network.
    pub input_layouts: Vec<Layout>,
    /// Gives every tensor its own memory with a gap after it: prefilled with NaNs and checked after every run.
    pub guarded: bool,
    /// How floats are stored between kernels that support 16 bits; sums are f32 either way.
    pub precision: Precision,
    /// The most estimated work per submission; one second if `None`. A longer run is submitted in parts.
    pub submit_limit: Option<Duration>,
    /// Measured choices; a node without one takes the first of the static order. `alternative` has priority.
    pub tuning: Option<Arc<Tuning>>,
}

/// The result of planning.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The commands.
    pub recording: Recording,
    /// One entry per node, in order.
    pub nodes: Vec<PlannedNode>,
    /// Bytes of the arenas: activations and temporaries.
    pub peak_bytes: u64,
    /// The largest sum of tensors that are alive at the same time: no plan can take less.
    pub lower_bound: u64,
    /// Bytes of weights, packed or not, that stay on the device.
    pub weight_bytes: u64,
}

/// How a node was planned.
#[derive(Clone, Debug)]
pub struct PlannedNode {
    /// The node's name.
    pub name: String,
    /// The operator with its epilogue.
    pub op: String,
    /// The kernels of a run.
    pub kernels: String,
    /// Dispatches of a run, conversions of its inputs included.
    pub dispatches: usize,
    /// Shape and type of the first output.
    pub output: Desc,
    /// The number of variants that the device has for the node.
    pub alternatives: usize,
    /// The position of the chosen one.
    pub pick: usize,
    /// The layout that each input had when the choice was made.
    pub layouts: Vec<Layout>,
    /// The chosen variant.
    pub chosen: Variant,
}

/// All stages of a plan but the last.
struct Stages {
    choices: Vec<Choice>,
    lowered: Lowered,
    lives: Vec<lifetime::Lifetime>,
    packing: Packing,
}

/// An error unless the device has what the options ask for.
fn check(caps: &Caps, options: &PlanOptions) -> Result<()> {
    if options.precision == Precision::F16 && !caps.f16 {
        return Err(Error::unsupported("precision f16: the device's shaders have no 16-bit floats (SHADER_F16)"));
    }
    Ok(())
}

impl Stages {
    fn new(graph: &Graph, caps: &Caps, options: &PlanOptions) -> Result<Stages> {
        check(caps, options)?;
        let mut choices = choose::choose(graph, caps, options)?;
        let mut lowered = lower::lower(graph, caps, options, &choices)?;
        elide::elide(graph, &mut lowered, &mut choices);
        let lives = lifetime::lifetimes(&lowered, options.guarded);
        let packing = record::packing(&lowered, &lives, options.guarded, caps.max_buffer_bytes);
        Ok(Stages { choices, lowered, lives, packing })
    }

    /// The steps of a run before which a new submission begins.
    fn cuts(&self, graph: &Graph, caps: &Caps, options: &PlanOptions) -> HashSet<usize> {
        let mut parts = parts::Parts::new(options.submit_limit.map_or(parts::SECONDS, |d| d.as_secs_f64()));
        for (k, node) in graph.nodes.iter().enumerate() {
            let first = self.lowered.run.partition_point(|step| step.owner < Owner::Node(k));
            parts.add(first, parts::seconds(graph, node, caps));
        }
        parts.cuts.into_iter().collect()
    }
}

impl Plan {
    /// Plans a graph for a device.
    ///
    /// # Errors
    /// An operator has no kernel for its case, or a tensor exceeds a limit of the device: the error names the node. The
    /// precision is f16 and the device's shaders do not support it.
    pub fn new(graph: &Graph, caps: &Caps, options: &PlanOptions) -> Result<Plan> {
        let stages = Stages::new(graph, caps, options)?;
        let (recording, weight_bytes) =
            record::record(&stages.lowered, &stages.packing, &stages.cuts(graph, caps, options));
        let (peak_bytes, lower_bound) = (stages.packing.peak_bytes(), stages.packing.lower_bound());
        let nodes = planned(graph, &stages.lowered, stages.choices);
        Ok(Plan { recording, nodes, peak_bytes, lower_bound, weight_bytes })
    }

    /// Dispatches of one run.
    pub fn dispatches(&self) -> usize {
        self.recording.dispatches().count()
    }
}

/// How each node was planned.
fn planned(graph: &Graph, lowered: &Lowered, choices: Vec<Choice>) -> Vec<PlannedNode> {
    let mut dispatches = vec![0; choices.len()];
    for step in &lowered.run {
        if let Owner::Node(k) = step.owner {
            dispatches[k] += 1;
        }
    }
    let one = |((node, choice), dispatches): ((&crate::graph::Node, Choice), usize)| PlannedNode {
        name: choice.node,
        op: format!("{}{}", node.op.name(), node.epilogue),
        kernels: choice.variant.kernels(),
        dispatches,
        output: graph.desc(node.outputs[0]).clone(),
        alternatives: choice.alternatives,
        pick: choice.pick,
        layouts: choice.layouts,
        chosen: choice.variant,
    };
    graph.nodes.iter().zip(choices).zip(dispatches).map(one).collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<30} {:<26} {:<34} {:>10}  output", "node", "operator", "kernels", "dispatches")?;
        for n in &self.nodes {
            writeln!(f, "{:<30} {:<26} {:<34} {:>10}  {}", n.name, n.op, n.kernels, n.dispatches, n.output)?;
        }
        let over = self.peak_bytes as f64 / self.lower_bound.max(1) as f64;
        let parts = self.recording.parts();
        let parts = if parts > 1 { format!(" in {parts} parts") } else { String::new() };
        writeln!(
            f,
            "{} dispatches{parts}; activations {} bytes, {over:.2} times the lower bound {}; weights {} bytes",
            self.dispatches(),
            self.peak_bytes,
            self.lower_bound,
            self.weight_bytes
        )
    }
}

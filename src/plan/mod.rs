//! From a graph to a recording, in stages of which each prints: [`choose`] a variant per node, [`lower`] them to steps, [`elide`]
//! copies, find [`lifetime`]s, [`pack`] the tensors, and [`record`] buffers and commands.

use std::fmt;

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
mod options;
mod pack;
mod parts;
mod record;
pub mod stages;
pub mod tuning;

use choose::Choice;
use lower::{Lowered, Owner};
pub use options::PlanOptions;
use record::Packing;

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

    /// Where the run may be split into submissions.
    fn parts(&self, graph: &Graph, caps: &Caps, options: &PlanOptions) -> parts::Parts {
        let limit = options.submit_limit.map(|limit| limit.as_secs_f64()).or(caps.submit_seconds);
        let run = &self.lowered.run;
        let mut parts = parts::Parts::new(limit.unwrap_or(f64::INFINITY), run.len());
        for (k, node) in graph.nodes.iter().enumerate() {
            let first = run.partition_point(|step| step.owner < Owner::Node(k));
            let end = run.partition_point(|step| step.owner <= Owner::Node(k));
            parts.add(first..end, parts::seconds(graph, node, caps));
        }
        parts
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
            record::record(&stages.lowered, &stages.packing, &stages.parts(graph, caps, options));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::lifetime::lifetimes;
    use super::lower::Kind;
    use super::*;
    use crate::gpu::recording::Command;
    use crate::ops::concat::Concat;
    use crate::ops::conv2d::Conv2d;
    use crate::tensor::Tensor;

    /// Two convolutions of one image side by side, and what is between them and the output.
    fn graph() -> Graph {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([1, 4, 6, 6])).unwrap();
        let same = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
        let conv = |graph: &mut Graph, name: &str| {
            let weight = graph.constant(format!("{name}.weight"), Tensor::full([4, 4, 3, 3], 0.5f32)).unwrap();
            graph.apply(name, same.clone(), &[x, weight]).unwrap()
        };
        let (a, b) = (conv(&mut graph, "a"), conv(&mut graph, "b"));
        let y = graph.apply("concat", Concat { axis: 1 }, &[a, b]).unwrap();
        graph.output("y", y);
        graph
    }

    fn stages(guarded: bool) -> (Graph, Stages) {
        let graph = graph();
        let stages = Stages::new(&graph, &Caps::webgpu_default(), &PlanOptions { guarded, ..Default::default() });
        (graph, stages.unwrap())
    }

    #[test]
    fn choose_knows_the_layouts_of_what_came_before() {
        let choices = choose::choose(&graph(), &Caps::webgpu_default(), &PlanOptions::default()).unwrap();
        assert_eq!(choices[0].layouts[0], Layout::RowMajor);
        assert_eq!(choices[2].layouts, [Layout::ChannelsLast; 2]);
        assert!(choices.iter().all(|choice| choice.pick < choice.alternatives));
    }

    #[test]
    fn lower_converts_an_input_once_and_packs_weights_before_the_run() {
        let graph = graph();
        let (caps, options) = (Caps::webgpu_default(), PlanOptions::default());
        let choices = choose::choose(&graph, &caps, &options).unwrap();
        let lowered = lower::lower(&graph, &caps, &options, &choices).unwrap();
        let of = |owner| lowered.run.iter().filter(|step| step.owner == owner).count();
        assert!(lowered.run.iter().filter(|step| step.reads == lowered.inputs).count() == 1, "{lowered}");
        assert_eq!((of(Owner::Node(2)), of(Owner::Outputs)), (2, 1), "two copies, and the result as the host reads it");
        let made = |place: &&lower::Place| matches!(place.kind, Kind::Constant(_) | Kind::Prepared);
        assert!(lowered.places.iter().filter(made).count() >= 2);
    }

    #[test]
    fn elide_lets_convolutions_write_into_their_parts() {
        let (_, Stages { lowered, choices, .. }) = stages(false);
        assert!(!lowered.run.iter().any(|step| step.owner == Owner::Node(2)), "{lowered}");
        assert!(choices[2].variant.run.is_empty());
        let written = |k| lowered.run.iter().rfind(|step| step.owner == Owner::Node(k)).unwrap().writes.clone();
        assert_eq!(written(0), written(1), "both write one tensor");
    }

    #[test]
    fn lifetimes_go_from_the_first_use_to_the_last() {
        let (_, Stages { lowered, lives, .. }) = stages(false);
        let end = lowered.run.len();
        assert_eq!(lives[lowered.inputs[0]].unwrap().0, 0);
        assert_eq!(lives[lowered.outputs[0]].unwrap().1, end);
        let constants = lowered.places.iter().zip(&lives).filter(|(place, _)| !place.is_temporary());
        assert!(constants.into_iter().all(|(_, life)| life.is_none()));
        let whole = lifetimes(&lowered, true);
        assert!(whole.iter().flatten().all(|life| *life == (0, end)));
    }

    #[test]
    fn record_may_end_a_submission_before_a_piece() {
        let (graph, stages) = stages(false);
        let caps = Caps::webgpu_default();
        let pieces = |caps: &Caps, options: &PlanOptions| {
            let (recording, _) = record::record(&stages.lowered, &stages.packing, &stages.parts(&graph, caps, options));
            let submits = recording.run.iter().filter(|command| matches!(command, Command::Submit)).count();
            assert_eq!(recording.pieces.seconds.len(), submits + 1);
            (submits, recording.parts())
        };
        let short = PlanOptions { submit_limit: Some(Duration::from_nanos(1)), ..Default::default() };
        assert_eq!(
            pieces(&caps, &short),
            (3, 4),
            "the conversion of the image, two convolutions, and the conversion of the result"
        );
        assert_eq!(pieces(&caps, &PlanOptions::default()), (0, 1));

        // The limit of the device, which software adapters do not have, and which the options override.
        let slow = Caps { submit_seconds: Some(1e-9), ..caps.clone() };
        assert_eq!(pieces(&slow, &PlanOptions::default()), (3, 4));
        assert_eq!(pieces(&Caps { submit_seconds: None, ..slow.clone() }, &PlanOptions::default()), (0, 1));
        let long = PlanOptions { submit_limit: Some(Duration::from_secs(1)), ..Default::default() };
        assert_eq!(pieces(&slow, &long), (0, 1));
    }
}

//! A graph planned for a device; nothing is allocated there yet.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::CompileOptions;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::adapter::Gpu;
use crate::gpu::caps::Caps;
use crate::gpu::script::Script;
use crate::gpu::weights::identities;
use crate::graph::guard::Guards;
use crate::graph::range::Bounded;
use crate::graph::rewrite::{Firing, rewrite, split_large_weights};
use crate::graph::single::to_single;
use crate::graph::{Graph, Node};
use crate::identity::Identity;
use crate::memory;
use crate::plan::Plan;
use crate::shape::{DType, Desc, Precision};
use crate::tensor::Tensor;

/// A graph rewritten and planned for a device.
#[derive(Debug)]
pub struct PlannedGraph {
    pub(super) device: Device,
    pub(super) graph: Graph,
    /// Inputs and types of outputs as the graph was given: on a GPU f64 has become f32.
    pub(super) inputs: Vec<Desc>,
    pub(super) outputs: Vec<DType>,
    /// Behind those outputs the graph has the ones that these need.
    pub(super) guards: Guards,
    pub(super) indices: Vec<Indices>,
    pub(super) single: Option<String>,
    pub(super) fired: Vec<Firing>,
    /// `None` on the reference, which needs none.
    pub(crate) plan: Option<Plan>,
    /// What each buffer of the plan holds, if it holds constants.
    pub(super) identities: Vec<Option<Identity>>,
}

impl PlannedGraph {
    /// Rewrites and plans a graph.
    ///
    /// # Errors
    /// An operator has no kernel for its case, the host has too little memory, or the device has no f16, which is wanted; the
    /// graph has no outputs, or two of one name.
    pub fn new(device: &Device, graph: Graph, options: &CompileOptions) -> Result<PlannedGraph> {
        PlannedGraph::within(device, device.gpu().map(Gpu::caps), graph, options)
    }

    /// As [`PlannedGraph::new`], for these capabilities. If they are not the device's, it is not to be compiled there.
    pub(crate) fn within(
        device: &Device,
        caps: Option<&Caps>,
        mut graph: Graph,
        options: &CompileOptions,
    ) -> Result<PlannedGraph> {
        graph.check()?;
        let inputs = graph.inputs().map(|(_, desc)| desc.clone()).collect();
        let outputs = graph.outputs().map(|(_, desc)| desc.dtype).collect();
        let (mut guards, mut single) = (Guards::default(), None);
        if caps.is_some() {
            single = to_single(&mut graph)?;
            guards = Guards::add(&mut graph)?;
        }
        let mut fired = if options.rewrite { rewrite(&mut graph) } else { vec![] };
        if let Some(caps) = caps {
            fired.extend(split_large_weights(&mut graph, caps.max_binding_bytes)?);
        }
        let plan = match caps {
            None if options.plan.precision == Precision::F16 => {
                return Err(Error::argument("precision f16: the CPU reference stores f32 only; choose a GPU adapter"));
            }
            None => None,
            Some(caps) => {
                let plan = Plan::new(&graph, caps, &options.plan)?;
                afford(&plan, caps.software)?;
                Some(plan)
            }
        };
        let resident = graph.resident.iter().map(|(_, number)| *number);
        let identities = plan.as_ref().map_or(vec![], |plan| identities(&plan.recording, resident));
        let indices = if caps.is_some() { Indices::of(&graph) } else { vec![] };
        let device = device.clone();
        Ok(PlannedGraph { device, graph, inputs, outputs, guards, indices, single, fired, plan, identities })
    }

    /// One run as data, given the inputs in the order of the graph's; `None` on the reference.
    ///
    /// # Errors
    /// An integer does not fit 32 bits, or an index its axis.
    pub(crate) fn script(&self, inputs: &[&Tensor]) -> Result<Option<Script>> {
        let Some(plan) = &self.plan else { return Ok(None) };
        self.indices.iter().try_for_each(|i| i.check(inputs))?;
        let bytes = inputs.iter().map(|tensor| Ok(tensor.to_device_bytes()?.into_owned()));
        Ok(Some(Script::of(&plan.recording, &bytes.collect::<Result<Vec<_>>>()?)))
    }

    /// What it takes on the device.
    pub fn memory(&self) -> Memory {
        let Some(plan) = &self.plan else { return Memory::default() };
        let transient: HashSet<usize> = plan.recording.transient.iter().copied().collect();
        let buffers = plan.recording.buffers.iter().zip(&self.identities).enumerate();
        let constants = buffers.filter_map(|(i, (spec, identity))| Some((i, (*identity)?, spec.bytes)));
        let weights = constants.filter(|(i, ..)| !transient.contains(i)).map(|(_, identity, bytes)| (identity, bytes));
        Memory { activations: plan.peak_bytes, results: plan.recording.result_bytes(), weights: weights.collect() }
    }
}

/// The plan of a graph for a device, of which nothing is compiled; `None` on the reference.
///
/// # Errors
/// As [`Compiled::new_async`](super::Compiled::new_async), but for what only the device can refuse.
pub fn plan(device: &Device, graph: Graph, options: &CompileOptions) -> Result<Option<Plan>> {
    Ok(PlannedGraph::new(device, graph, options)?.plan)
}

/// What a plan takes on its device, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Inputs, intermediate tensors and outputs.
    pub activations: u64,
    /// The copy of the outputs that the host reads.
    pub results: u64,
    /// The constants, each once.
    pub weights: Vec<(Identity, u64)>,
}

/// The bytes of several plans of one device, which share weights.
pub(crate) fn together<'a>(plans: impl Iterator<Item = &'a Memory>) -> u64 {
    let mut weights: HashMap<Identity, u64> = HashMap::new();
    let mut bytes = 0;
    for plan in plans {
        bytes += plan.activations + plan.results;
        weights.extend(plan.weights.iter().copied());
    }
    bytes + weights.values().sum::<u64>()
}

impl Memory {
    /// The bytes of one plan.
    pub fn bytes(&self) -> u64 {
        together([self].into_iter())
    }

    /// The bytes of the constants.
    pub fn weight_bytes(&self) -> u64 {
        together([&Memory { activations: 0, results: 0, ..self.clone() }].into_iter())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, weights) = (self.bytes(), self.weight_bytes());
        write!(f, "{all} bytes (activations {}, weights {weights}, results {})", self.activations, self.results)
    }
}

/// An input whose elements choose among those of an axis, or are lengths. A device does not say that one is outside; the host
/// can.
#[derive(Debug)]
pub(super) struct Indices {
    /// The position among the inputs.
    input: usize,
    bounded: Bounded,
    node: String,
}

impl Indices {
    /// The inputs that a node reads as they are given.
    pub fn of(graph: &Graph) -> Vec<Indices> {
        let one = |node: &Node| {
            let bounded = Bounded::of(graph, node)?;
            let input = graph.inputs.iter().position(|id| *id == bounded.value)?;
            Some(Indices { input, bounded, node: node.name.clone() })
        };
        graph.nodes.iter().filter_map(one).collect()
    }

    pub fn check(&self, inputs: &[&Tensor]) -> Result<()> {
        self.bounded.check(inputs[self.input].to_i64s()?, &self.node)
    }
}

/// An error unless the host can hold the results twice, once for the readback, and the buffers of a software adapter.
fn afford(plan: &Plan, software: bool) -> Result<()> {
    let results = 2 * plan.recording.result_bytes();
    let (bytes, what) = match software {
        true => (plan.recording.bytes().saturating_add(results), "buffers and results"),
        false => (results, "results"),
    };
    let largest = plan.nodes.iter().max_by_key(|n| n.output.numel());
    let node = largest.map_or("", |n| &n.name);
    let of = largest.map_or(String::new(), |n| format!(", {} -> {} among them,", n.op, n.output));
    memory::afford(bytes, || format!("the network's {what}{of}")).map_err(|e| e.at(node))
}

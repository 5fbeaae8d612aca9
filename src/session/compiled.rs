//! A graph compiled for a device.

use std::fmt;

use super::{CompileOptions, Outputs};
use crate::device::{Device, DeviceTensor, Storage};
use crate::error::{Error, Result};
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::profile::Profile;
use crate::gpu::program::{Program, Source};
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::recording::Dispatch;
use crate::graph::guard::Guards;
use crate::graph::plan::Plan;
use crate::graph::rewrite::{Firing, rewrite, split_large_weights};
use crate::graph::single::to_single;
use crate::graph::{Graph, Node};
use crate::memory;
use crate::ops::gather::Gather;
use crate::ops::{self, Algorithm, Bounds};
use crate::shape::{DType, Desc, Precision};
use crate::tensor::Tensor;

/// A graph compiled for a device: a [`Session`](crate::Session) keeps one per set of input shapes. Runs of several threads are
/// executed one after another.
pub struct Compiled {
    device: Device,
    graph: Graph,
    /// Inputs and types of outputs as the graph was given: on a GPU f64 has become f32.
    inputs: Vec<Desc>,
    outputs: Vec<DType>,
    /// Behind those outputs the graph has the ones that these need.
    guards: Guards,
    indices: Vec<Indices>,
    single: Option<String>,
    fired: Vec<Firing>,
    compiled: Option<(Plan, Program)>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compiled({}, on {})", self.summary(), self.device)
    }
}

/// An input whose elements choose among those of an axis. A device does not say that an index is outside; the host can.
struct Indices {
    /// The position among the inputs.
    input: usize,
    extent: usize,
    node: String,
}

impl Indices {
    /// The inputs that a gather reads as they are given.
    fn of(graph: &Graph) -> Vec<Indices> {
        let one = |node: &Node| {
            let any: &dyn std::any::Any = node.op.as_ref();
            let gather: &Gather = any.downcast_ref()?;
            let input = graph.inputs.iter().position(|id| *id == node.inputs[1])?;
            Some(Indices { input, extent: graph.shape(node.inputs[0])[gather.axis], node: node.name.clone() })
        };
        graph.nodes.iter().filter_map(one).collect()
    }

    fn check(&self, inputs: &[&Tensor]) -> Result<()> {
        let range = -(self.extent as i64)..self.extent as i64;
        match inputs[self.input].to_i64s()?.into_iter().find(|i| !range.contains(i)) {
            Some(i) => {
                let text = format!("the index {i} is outside an axis of {}", self.extent);
                Err(Error::argument(text).at(self.node.clone()))
            }
            None => Ok(()),
        }
    }
}

impl Compiled {
    /// Compiles a graph for a device.
    ///
    /// # Errors
    /// An operator has no kernel for its case, the device lacks memory or the requested f16, or it is lost; the graph
    /// has no outputs, or two of one name.
    pub async fn new_async(device: &Device, mut graph: Graph, options: &CompileOptions) -> Result<Compiled> {
        graph.check()?;
        let inputs = graph.inputs().map(|(_, desc)| desc.clone()).collect();
        let outputs = graph.outputs().map(|(_, desc)| desc.dtype).collect();
        let (mut guards, mut single) = (Guards::default(), None);
        if device.gpu().is_some() {
            single = to_single(&mut graph)?;
            guards = Guards::add(&mut graph)?;
        }
        let mut fired = if options.rewrite { rewrite(&mut graph) } else { vec![] };
        if let Some(gpu) = device.gpu() {
            fired.extend(split_large_weights(&mut graph, gpu.caps().max_binding_bytes)?);
        }
        let compiled = match device.gpu() {
            None if options.plan.precision == Precision::F16 => {
                return Err(Error::argument("precision f16: the CPU reference stores f32 only; choose a GPU adapter"));
            }
            None => None,
            Some(gpu) => {
                let mut plan = Plan::new(&graph, gpu.caps(), &options.plan)?;
                afford(&plan, gpu.caps().software)?;
                if !options.weights {
                    graph.values.iter_mut().for_each(|value| value.constant = None);
                }
                let program = Program::new(gpu, &mut plan.recording, options.progress.as_ref()).await?;
                Some((plan, program))
            }
        };
        let indices = if device.gpu().is_some() { Indices::of(&graph) } else { vec![] };
        Ok(Compiled { device: device.clone(), graph, inputs, outputs, guards, indices, single, fired, compiled })
    }

    /// Runs the network on host tensors, each named as the graph names its input.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; the device is lost.
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        let ordered = order(&self.graph, &self.inputs, inputs, |t| t.desc())?;
        let tensors = self.run_ordered(&ordered).await?;
        Ok(Outputs(self.graph.outputs().map(|(name, _)| name.to_owned()).zip(tensors).collect()))
    }

    /// The same on tensors in the order of the graph's inputs, which fit them.
    pub(super) async fn run_ordered(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let tensors = match &self.compiled {
            None => self.run_reference(inputs)?,
            Some((_, program)) => {
                self.indices.iter().try_for_each(|i| i.check(inputs))?;
                let named = inputs.iter().zip(self.graph.inputs());
                let bytes = named
                    .map(|(t, (name, _))| t.to_device_bytes().map_err(|e| e.within(format_args!("the input {name}"))));
                let bytes = bytes.collect::<Result<Vec<_>>>()?;
                let sources: Vec<_> = bytes.iter().map(|b| Source::Host(b)).collect();
                let descs: Vec<_> = self.graph.outputs().map(|(_, d)| d).collect();
                program.run(&sources, |slot, bytes| Tensor::from_device_bytes(descs[slot], bytes)).await?
            }
        };
        self.guards.check(&tensors[self.outputs.len()..])?;
        Ok(tensors.iter().zip(&self.outputs).map(|(t, &dtype)| t.to_dtype(dtype)).collect())
    }

    /// Runs the network on tensors of its device and leaves the results there.
    ///
    /// # Errors
    /// As [`Compiled::run_async`]; an input is on another device.
    pub async fn run_device_async(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Vec<DeviceTensor>> {
        let ordered = order(&self.graph, &self.inputs, inputs, |t| t.desc().clone())?;
        if let Some(stray) = ordered.iter().find(|t| !t.device().same(&self.device)) {
            return Err(Error::argument(format!("an input is on {}, the session on {}", stray.device(), self.device)));
        }
        let descs = self.graph.outputs().map(|(_, d)| d.clone());
        let storages: Vec<Storage> = match &self.compiled {
            None => {
                let host = |t: &&DeviceTensor| match &t.storage {
                    Storage::Host(t) => t.clone(),
                    Storage::Buffer(_) => unreachable!("the reference holds host tensors"),
                };
                let owned: Vec<Tensor> = ordered.iter().map(host).collect();
                self.run_reference(&owned.iter().collect::<Vec<_>>())?.into_iter().map(Storage::Host).collect()
            }
            Some((_, program)) => {
                let source = |t: &&DeviceTensor| match &t.storage {
                    Storage::Buffer(b) => b.clone(),
                    Storage::Host(_) => unreachable!("a GPU holds buffers"),
                };
                let buffers: Vec<_> = ordered.iter().map(source).collect();
                let sources: Vec<_> = buffers.iter().map(Source::Device).collect();
                program.run_device(&sources).await?.into_iter().map(Storage::Buffer).collect()
            }
        };
        let made: Vec<_> = descs.zip(storages).map(|(desc, s)| DeviceTensor::new(&self.device, desc, s)).collect();
        let mut magnitudes = vec![];
        for tensor in &made[self.outputs.len()..] {
            magnitudes.push(tensor.to_host_async().await?);
        }
        self.guards.check(&magnitudes)?;
        Ok(made.into_iter().zip(&self.outputs).map(|(t, &dtype)| t.as_float(dtype)).collect())
    }

    /// One run with every dispatch timed, each in a pass of its own.
    ///
    /// # Errors
    /// As [`Compiled::run_async`]; the reference, which has no dispatches.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn profile_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Profile> {
        let (plan, program) = self.on_gpu()?;
        let ordered = order(&self.graph, &self.inputs, inputs, |t| t.desc())?;
        let bytes = ordered.iter().map(|t| t.to_device_bytes()).collect::<Result<Vec<_>>>()?;
        let sources: Vec<_> = bytes.iter().map(|b| Source::Host(b)).collect();
        program.profile(&plan.recording, &sources).await
    }

    /// The time in seconds of one execution of the dispatches that `wanted` selects: the mean of `repeats`, without
    /// upload and readback.
    ///
    /// # Errors
    /// The device is lost; the reference, which has no dispatches.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn repeat_async(&self, wanted: impl Fn(&Dispatch) -> bool, repeats: usize) -> Result<f64> {
        let (plan, program) = self.on_gpu()?;
        let wanted: Vec<bool> = plan.recording.dispatches().map(wanted).collect();
        program.repeat(&wanted, repeats).await
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn on_gpu(&self) -> Result<&(Plan, Program)> {
        self.compiled
            .as_ref()
            .ok_or_else(|| Error::argument("the reference has no dispatches to time: choose a GPU adapter"))
    }

    fn run_reference(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let mut values: Vec<Option<Tensor>> = self.graph.values.iter().map(|v| v.constant.clone()).collect();
        for (id, tensor) in self.graph.inputs.iter().zip(inputs) {
            values[id.0] = Some((*tensor).clone());
        }
        let mut readers = self.graph.uses();
        for node in &self.graph.nodes {
            let get = |id: &crate::graph::ValueId| values[id.0].clone().expect("nodes come after their inputs");
            let inputs: Vec<_> = node.inputs.iter().map(get).collect();
            let outputs = evaluate(node, &inputs)?;
            for (id, tensor) in node.outputs.iter().zip(outputs) {
                values[id.0] = Some(tensor);
            }
            // What nothing reads any more is freed.
            for id in &node.inputs {
                readers[id.0] -= 1;
                values[id.0].take_if(|_| readers[id.0] == 0);
            }
        }
        Ok(self.graph.outputs.iter().map(|(_, id)| values[id.0].clone().expect("computed")).collect())
    }

    /// The name of a node that the network computes in f64 and the device in f32, if there is one.
    pub fn computes_in_single(&self) -> Option<&str> {
        self.single.as_deref()
    }
    /// The inputs as the graph was given.
    pub(super) fn inputs(&self) -> &[Desc] {
        &self.inputs
    }
    /// The graph after rewriting.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// The rewrites that fired, and where.
    pub fn rewrites(&self) -> &[Firing] {
        &self.fired
    }
    /// The plan; `None` on the reference, which needs none.
    pub fn plan(&self) -> Option<&Plan> {
        self.compiled.as_ref().map(|(plan, _)| plan)
    }
    /// The number of distinct compute pipelines.
    pub fn pipelines(&self) -> usize {
        self.compiled.as_ref().map_or(0, |(_, program)| program.pipelines())
    }
    /// The device it was compiled for.
    pub fn device(&self) -> &Device {
        &self.device
    }
    /// Nodes, dispatches and memory on one line.
    pub(super) fn summary(&self) -> String {
        let nodes = format!("{} nodes", self.graph.nodes.len());
        self.plan().map_or(nodes.clone(), |plan| {
            let (dispatches, activations, weights) = (plan.dispatches(), plan.peak_bytes, plan.weight_bytes);
            format!("{nodes}, {dispatches} dispatches, activations {activations} bytes, weights {weights} bytes")
        })
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

/// The inputs in the graph's order, checked.
pub(super) fn order<'a, T>(
    graph: &Graph,
    wanted: &[Desc],
    given: &[(&str, &'a T)],
    desc: impl Fn(&T) -> Desc,
) -> Result<Vec<&'a T>> {
    if let Some((name, _)) = given.iter().find(|(name, _)| !graph.inputs().any(|(n, _)| n == *name)) {
        let known: Vec<_> = graph.inputs().map(|(n, _)| n).collect();
        return Err(Error::argument(format!("there is no input named {name}; inputs: {}", known.join(", "))));
    }
    let find = |((name, _), wanted): ((&str, &Desc), &Desc)| {
        let mut found = given.iter().filter(|(n, _)| *n == name);
        let Some((_, tensor)) = found.next() else {
            return Err(Error::argument(format!("input {name} {wanted} is missing")));
        };
        if found.next().is_some() {
            return Err(Error::argument(format!("input {name} {wanted} is given twice")));
        }
        let have = desc(tensor);
        if have != *wanted {
            return Err(Error::shape(format!("input {name} must be {wanted}, is {have}")));
        }
        Ok(*tensor)
    };
    graph.inputs().zip(wanted).map(find).collect()
}

/// Evaluates one node on the reference, epilogue included.
pub(crate) fn evaluate(node: &Node, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = ops::evaluate(&*node.op, own).map_err(|e| e.at(node.name.clone()))?;
    if !node.epilogue.is_none() {
        outputs[0] = node.epilogue.apply(inputs, &outputs[0], &vec![0.0; outputs[0].numel()]).0;
    }
    Ok(outputs)
}

/// Evaluates one node on the reference, with the algorithm's error bound for every output element if it is
/// known, epilogue included.
pub fn evaluate_with_bounds(node: &Node, inputs: &[Tensor], algorithm: Algorithm) -> Result<(Vec<Tensor>, Bounds)> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = ops::evaluate(&*node.op, own).map_err(|e| e.at(node.name.clone()))?;
    let mut bounds = ops::bounds(&*node.op, algorithm, own, &outputs).map_err(|e| e.at(node.name.clone()))?;
    let exact = vec![0.0; outputs[0].numel()];
    let first = bounds.as_ref().map_or(&exact, |b| &b[0]);
    let (output, bound) = node.epilogue.apply(inputs, &outputs[0], first);
    outputs[0] = output;
    if let Some(bounds) = &mut bounds {
        bounds[0] = bound;
    }
    Ok((outputs, bounds))
}

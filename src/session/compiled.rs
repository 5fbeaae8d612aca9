//! A graph compiled for a device.

use std::fmt;
use std::sync::Arc;

use super::input::Input;
use super::planned::{Memory, PlannedGraph};
use super::values::Values;
use super::{CompileOptions, Outputs};
use crate::device::{Device, DeviceTensor, Storage};
use crate::error::{Error, Result};
use crate::gpu::CommandEncoder;
use crate::gpu::adapter::Gpu;
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::profile::Profile;
use crate::gpu::program::{Program, Running};
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::recording::Dispatch;
use crate::gpu::submit::Source;
use crate::gpu::tensor_buffer::TensorBuffer;
use crate::graph::Graph;
use crate::graph::rewrite::Firing;
use crate::plan::Plan;
use crate::shape::Desc;
use crate::tensor::Tensor;
use crate::upload;

/// A graph compiled for a device: a [`Session`](crate::Session) keeps one per set of input shapes. Runs of several threads are
/// executed one after another.
pub struct Compiled {
    device: Device,
    planned: PlannedGraph,
    program: Option<Program>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compiled({}, on {})", self.summary(), self.device)
    }
}

impl PlannedGraph {
    /// Allocates, uploads and compiles what was planned, given the tensors that are on the device already.
    ///
    /// # Errors
    /// The device lacks memory or is lost; it refuses a kernel.
    pub async fn compile(mut self, options: &CompileOptions, resident: &[TensorBuffer]) -> Result<Compiled> {
        let device = self.device.clone();
        if !options.weights && self.plan.is_some() {
            self.graph.values.iter_mut().for_each(|value| value.constant = None);
        }
        let program = match (device.gpu(), &mut self.plan) {
            (Some(gpu), Some(plan)) => {
                let recording = &mut plan.recording;
                Some(Program::new(gpu, recording, &self.identities, resident, options.progress.as_ref()).await?)
            }
            _ => None,
        };
        Ok(Compiled { device, planned: self, program })
    }
}

impl Compiled {
    /// Compiles a graph for a device.
    ///
    /// # Errors
    /// An operator has no kernel for its case, the device lacks memory or the requested f16, or it is lost; the graph
    /// has no outputs, or two of one name.
    pub async fn new_async(device: &Device, graph: Graph, options: &CompileOptions) -> Result<Compiled> {
        PlannedGraph::new(device, graph, options)?.compile(options, &[]).await
    }

    /// Compiles a graph with tensors that are on the device already, in the order of its resident values.
    ///
    /// # Errors
    /// As [`Compiled::new_async`].
    pub(crate) async fn with_resident(
        device: &Device,
        graph: Graph,
        options: &CompileOptions,
        resident: &[TensorBuffer],
    ) -> Result<Compiled> {
        PlannedGraph::new(device, graph, options)?.compile(options, resident).await
    }

    /// Runs the network on host tensors, each named as the graph names its input.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; the device is lost.
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        let started = self.start(&order(&self.planned.graph, &self.planned.inputs, inputs, |t| t.desc())?).await?;
        let tensors = self.finish(started).await?;
        Ok(Outputs(self.planned.graph.outputs().map(|(name, _)| name.to_owned()).zip(tensors).collect()))
    }

    /// Gives the device the work of a run; on the reference nothing is computed yet.
    pub(super) async fn start(&self, inputs: &[&Tensor]) -> Result<Started> {
        let Some(program) = &self.program else {
            return Ok(Started::Reference(inputs.iter().map(|&t| t.clone()).collect()));
        };
        self.planned.indices.iter().try_for_each(|i| i.check(inputs))?;
        let mut sources = vec![];
        for (tensor, (name, _)) in inputs.iter().zip(self.planned.graph.inputs()) {
            let within = |e: Error| e.within(format_args!("the input {name}"));
            sources.push(upload::source(program.gpu(), tensor).await.map_err(within)?);
        }
        Ok(Started::Device(program.start(&sources).await?))
    }

    /// The results of a run that was started here.
    pub(super) async fn finish(&self, started: Started) -> Result<Vec<Tensor>> {
        let tensors = match (started, &self.program) {
            (Started::Device(running), Some(program)) => {
                let descs: Vec<_> = self.planned.graph.outputs().map(|(_, d)| d).collect();
                program.finish(running, |slot, bytes| Tensor::from_device_bytes(descs[slot], bytes)).await?
            }
            (Started::Reference(inputs), _) => self.run_reference(&inputs.iter().collect::<Vec<_>>())?,
            (Started::Device(_), None) => unreachable!("the reference starts nothing on a device"),
        };
        self.planned.guards.check(&tensors[self.planned.outputs.len()..])?;
        Ok(tensors.iter().zip(&self.planned.outputs).map(|(t, &dtype)| t.to_dtype(dtype)).collect())
    }

    /// Runs the network and leaves the results on its device: in new tensors, or in those of `outputs`, in the order of the
    /// graph's outputs, where there is one.
    ///
    /// # Errors
    /// As [`Compiled::run_async`]; an input or output is on another device.
    pub async fn run_device_async(
        &self,
        inputs: &[(&str, Input<'_>)],
        outputs: &[Option<&DeviceTensor>],
    ) -> Result<Vec<DeviceTensor>> {
        let planned = &self.planned;
        let ordered = order(&planned.graph, &planned.inputs, inputs, |input| input.desc())?;
        ordered.iter().try_for_each(|input| input.check_device(&self.device))?;
        let storages: Vec<Storage> = match &self.program {
            None => {
                let mut owned = vec![];
                for input in ordered {
                    owned.push(input.to_host().await?);
                }
                self.run_reference(&owned.iter().collect::<Vec<_>>())?.into_iter().map(Storage::Host).collect()
            }
            Some(program) => {
                let mut sources = vec![];
                for (&input, (name, _)) in ordered.iter().zip(planned.graph.inputs()) {
                    let within = |e: Error| e.within(format_args!("the input {name}"));
                    sources.push(source(program.gpu(), input).await.map_err(within)?);
                }
                let results = results(program, outputs).await?;
                program.run_device(&sources, &results).await?;
                results.into_iter().map(Storage::Buffer).collect()
            }
        };
        let made: Vec<_> = self.described(storages).collect();
        let mut magnitudes = vec![];
        for tensor in &made[planned.outputs.len()..] {
            magnitudes.push(tensor.to_host_async().await?);
        }
        planned.guards.check(&magnitudes)?;
        Ok(made.into_iter().zip(&planned.outputs).map(|(t, &dtype)| t.as_float(dtype)).collect())
    }

    /// Encodes a run into an encoder of the program's; outputs as in [`Compiled::run_device_async`].
    ///
    /// # Errors
    /// As [`Compiled::run_device_async`]; the reference; a plan in parts; results that must be checked by the host.
    pub async fn record_async(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, Input<'_>)],
        outputs: &[Option<&DeviceTensor>],
    ) -> Result<Vec<DeviceTensor>> {
        let planned = &self.planned;
        let Some(program) = &self.program else {
            return Err(Error::argument("the CPU reference has no encoder: run the network there"));
        };
        if program.result_bytes().len() > planned.outputs.len() {
            let text = "the host checks in every run that its integers fit 32 bits: it cannot be recorded";
            return Err(Error::unsupported(text));
        }
        let ordered = order(&planned.graph, &planned.inputs, inputs, |input| input.desc())?;
        ordered.iter().try_for_each(|input| input.check_device(&self.device))?;
        let mut buffers = vec![];
        for input in ordered {
            let Input::Device(tensor) = input else {
                return Err(Error::argument("an encoder reads tensors of the device: upload the inputs first"));
            };
            buffers.push(tensor.buffer_inside().clone());
        }
        let done = Arc::default();
        let results = results(program, outputs).await?;
        program.record(encoder, &buffers, &results, Arc::clone(&done)).await?;
        let results = results.into_iter().map(|buffer| Storage::Buffer(buffer.recorded(&done))).collect();
        let made = self.described(results);
        Ok(made.zip(&planned.outputs).map(|(t, &dtype)| t.as_float(dtype)).collect())
    }

    fn described(&self, storages: Vec<Storage>) -> impl Iterator<Item = DeviceTensor> {
        let descs = self.planned.graph.outputs().map(|(_, d)| d.clone());
        descs.zip(storages).map(|(desc, s)| DeviceTensor::new(&self.device, desc, s))
    }

    /// One run with every dispatch timed, each in a pass of its own.
    ///
    /// # Errors
    /// As [`Compiled::run_async`]; the reference, which has no dispatches.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn profile_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Profile> {
        let (plan, program) = self.on_gpu()?;
        let ordered = order(&self.planned.graph, &self.planned.inputs, inputs, |t| t.desc())?;
        let mut sources = vec![];
        for tensor in ordered {
            sources.push(upload::source(program.gpu(), tensor).await?);
        }
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
    fn on_gpu(&self) -> Result<(&Plan, &Program)> {
        let both = self.plan().zip(self.program.as_ref());
        both.ok_or_else(|| Error::argument("the reference has no dispatches to time: choose a GPU adapter"))
    }

    fn run_reference(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let graph = &self.planned.graph;
        let mut values = Values::new(graph, inputs);
        let mut readers = graph.uses();
        for node in &graph.nodes {
            values.evaluate(node)?;
            // What nothing reads any more is freed.
            for id in &node.inputs {
                readers[id.0] -= 1;
                if readers[id.0] == 0 {
                    values.free(*id);
                }
            }
        }
        Ok(values.outputs(graph))
    }

    /// The name of a node that the network computes in f64 and the device in f32, if there is one.
    pub fn computes_in_single(&self) -> Option<&str> {
        self.planned.single.as_deref()
    }
    /// The inputs as the graph was given.
    pub(super) fn inputs(&self) -> &[Desc] {
        &self.planned.inputs
    }
    /// The graph after rewriting.
    pub fn graph(&self) -> &Graph {
        &self.planned.graph
    }
    /// The rewrites that fired, and where.
    pub fn rewrites(&self) -> &[Firing] {
        &self.planned.fired
    }
    /// The plan; `None` on the reference, which needs none.
    pub fn plan(&self) -> Option<&Plan> {
        self.planned.plan.as_ref()
    }
    /// Measured by estimated seconds of the last run's slowest part, if it was one in parts: later runs are submitted
    /// accordingly.
    pub fn rate(&self) -> Option<f64> {
        self.program.as_ref().and_then(Program::rate)
    }
    /// The number of distinct compute pipelines.
    pub fn pipelines(&self) -> usize {
        self.program.as_ref().map_or(0, Program::pipelines)
    }
    /// The device it was compiled for.
    pub fn device(&self) -> &Device {
        &self.device
    }
    /// What it takes on the device.
    pub(crate) fn memory(&self) -> Memory {
        self.planned.memory()
    }
    /// Nodes, dispatches and memory on one line.
    pub(super) fn summary(&self) -> String {
        let nodes = format!("{} nodes", self.planned.graph.nodes.len());
        self.plan().map_or(nodes.clone(), |plan| {
            let (dispatches, activations, weights) = (plan.dispatches(), plan.peak_bytes, plan.weight_bytes);
            format!("{nodes}, {dispatches} dispatches, activations {activations} bytes, weights {weights} bytes")
        })
    }
}

/// The bytes of an input, or its tensor if that is on the device and not still to be written.
async fn source<'a>(gpu: &Gpu, input: Input<'a>) -> Result<Source<'a>> {
    match input {
        Input::Host(tensor) => upload::source(gpu, tensor).await,
        Input::Device(tensor) => {
            tensor.settled().await?;
            Ok(Source::Device(tensor.buffer_inside()))
        }
    }
}

/// The tensors given for results, and new ones for the others.
async fn results(program: &Program, given: &[Option<&DeviceTensor>]) -> Result<Vec<TensorBuffer>> {
    let mut results = vec![];
    for (k, bytes) in program.result_bytes().enumerate() {
        results.push(match given.get(k).copied().flatten() {
            Some(tensor) => tensor.buffer_inside().clone(),
            None => program.output(bytes).await?,
        });
    }
    Ok(results)
}

/// A run that the device computes, or the inputs of one that the reference will compute.
#[derive(Debug)]
pub enum Started {
    /// On the device.
    Device(Running),
    /// The inputs.
    Reference(Vec<Tensor>),
}

/// The inputs in the graph's order, checked.
pub(super) fn order<T: Copy>(
    graph: &Graph,
    wanted: &[Desc],
    given: &[(&str, T)],
    desc: impl Fn(T) -> Desc,
) -> Result<Vec<T>> {
    if let Some((name, _)) = given.iter().find(|(name, _)| !graph.inputs().any(|(n, _)| n == *name)) {
        let known: Vec<_> = graph.inputs().map(|(n, _)| n).collect();
        return Err(Error::argument(format!("there is no input named {name}; inputs: {}", known.join(", "))));
    }
    let find = |((name, _), wanted): ((&str, &Desc), &Desc)| {
        let mut found = given.iter().filter(|(n, _)| *n == name);
        let Some(&(_, tensor)) = found.next() else {
            return Err(Error::argument(format!("input {name} {wanted} is missing")));
        };
        if found.next().is_some() {
            return Err(Error::argument(format!("input {name} {wanted} is given twice")));
        }
        let have = desc(tensor);
        if have != *wanted {
            return Err(Error::shape(format!("input {name} must be {wanted}, is {have}")));
        }
        Ok(tensor)
    };
    graph.inputs().zip(wanted).map(find).collect()
}

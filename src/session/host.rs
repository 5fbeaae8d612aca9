//! What of a network runs on the host although the device is a GPU: doubles, and integers which may leave the 32 bits that a
//! device has for them. Such nodes are taken out where they come before the device's part, or after it, and are not much work.

use std::sync::Arc;

use super::compiled::{Compiled, Started, order};
use super::input::Input;
use super::planned::{Memory, PlannedGraph};
use super::values::Values;
use super::{CompileOptions, Outputs};
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::gpu::CommandEncoder;
use crate::graph::range::unbounded;
use crate::graph::{Graph, Node, ValueId};
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// Operations per element of the results and of the inputs beyond which a node is left to the device.
const MOST_FLOPS: [u64; 2] = [8, 2];

/// A graph planned for its device, but for what runs on the host.
#[derive(Debug)]
pub struct Planned {
    device: Device,
    /// The device's part; on the reference if all runs on the host.
    part: PlannedGraph,
    host: Option<Host>,
}

impl Planned {
    /// Plans a graph.
    ///
    /// # Errors
    /// As [`PlannedGraph::new`].
    pub fn new(device: &Device, mut graph: Graph, options: &CompileOptions) -> Result<Planned> {
        graph.check()?;
        let host = if device.gpu().is_some() { split(&mut graph) } else { None };
        if let Some(host) = host.as_ref().filter(|host| host.is_all()) {
            let reference = CompileOptions::new().fusion(options.rewrite);
            let part = PlannedGraph::new(&Device::cpu(), host.graph.clone(), &reference)?;
            return Ok(Planned { device: device.clone(), part, host: None });
        }
        Ok(Planned { device: device.clone(), part: PlannedGraph::new(device, graph, options)?, host })
    }

    /// What it takes on the device.
    pub fn memory(&self) -> Memory {
        self.part.memory()
    }

    /// Allocates, uploads and compiles what was planned.
    ///
    /// # Errors
    /// As [`PlannedGraph::compile`].
    pub async fn compile(self, options: &CompileOptions) -> Result<Ready> {
        Ok(Ready { device: self.device, compiled: Arc::new(self.part.compile(options, &[]).await?), host: self.host })
    }
}

/// A graph ready to run: compiled for its device, but for what runs on the host.
pub struct Ready {
    device: Device,
    /// The device's part; on the reference if all runs on the host.
    pub compiled: Arc<Compiled>,
    host: Option<Host>,
}

/// A run that was started: what the host has for it, and the device's part.
pub(super) struct Flight {
    values: Option<Values>,
    started: Started,
}

impl Ready {
    /// Compiles a graph.
    ///
    /// # Errors
    /// As [`Compiled::new_async`].
    pub async fn new_async(device: &Device, graph: Graph, options: &CompileOptions) -> Result<Ready> {
        Planned::new(device, graph, options)?.compile(options).await
    }

    /// The device it was compiled for, also if all of it runs on the host.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Runs the network on host tensors, each named as the graph names its input.
    ///
    /// # Errors
    /// As [`Compiled::run_async`].
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        let flight = self.start(inputs).await?;
        self.finish(flight).await
    }

    /// Does what comes before the device, and gives the device its work.
    pub(super) async fn start(&self, inputs: &[(&str, &Tensor)]) -> Result<Flight> {
        let ordered = self.order(inputs)?;
        let Some(host) = &self.host else {
            return Ok(Flight { values: None, started: self.compiled.start(&ordered).await? });
        };
        let (values, given) = host.before(&ordered)?;
        let started = self.compiled.start(&given.iter().collect::<Vec<_>>()).await?;
        Ok(Flight { values: Some(values), started })
    }

    /// The results of a run that was started here.
    pub(super) async fn finish(&self, flight: Flight) -> Result<Outputs> {
        let mut results = self.compiled.finish(flight.started).await?;
        if let (Some(host), Some(values)) = (&self.host, flight.values) {
            results = host.after(values, results)?;
        }
        let names = self.graph().outputs().map(|(name, _)| name.to_owned());
        Ok(Outputs(names.zip(results).collect()))
    }

    /// The graph as a run sees it: inputs and outputs.
    fn graph(&self) -> &Graph {
        self.host.as_ref().map_or(self.compiled.graph(), |host| &host.graph)
    }

    fn order<'a>(&self, inputs: &[(&str, &'a Tensor)]) -> Result<Vec<&'a Tensor>> {
        let wanted: Vec<Desc> = match &self.host {
            None => self.compiled.inputs().to_vec(),
            Some(host) => host.graph.inputs().map(|(_, d)| d.clone()).collect(),
        };
        order(self.graph(), &wanted, inputs, |t| t.desc())
    }

    /// What the device's part is given, in order.
    ///
    /// # Errors
    /// As [`Ready::run_async`].
    pub fn given(&self, inputs: &[(&str, &Tensor)]) -> Result<Vec<Tensor>> {
        let ordered = self.order(inputs)?;
        match &self.host {
            None => Ok(ordered.into_iter().cloned().collect()),
            Some(host) => Ok(host.before(&ordered)?.1),
        }
    }

    /// Runs the network and leaves the results on its device: in those of `outputs`, in the order of the graph's outputs, where
    /// there is one, else in new tensors.
    ///
    /// # Errors
    /// As [`Compiled::run_device_async`].
    pub(super) async fn run_device_async(
        &self,
        inputs: &[(&str, Input<'_>)],
        outputs: &[Option<&DeviceTensor>],
    ) -> Result<Vec<DeviceTensor>> {
        if self.is_on_device() {
            return self.compiled.run_device_async(inputs, outputs).await;
        }
        let mut fetched = vec![];
        for (name, input) in inputs {
            input.check_device(&self.device)?;
            fetched.push((*name, input.to_host().await?));
        }
        let given: Vec<_> = fetched.iter().map(|(name, t)| (*name, t)).collect();
        let mut results = vec![];
        for (k, (_, tensor)) in self.run_async(&given).await?.into_iter().enumerate() {
            results.push(match outputs.get(k).copied().flatten() {
                Some(output) => output.overwritten(&tensor).await?,
                None => DeviceTensor::upload(&self.device, &tensor).await?,
            });
        }
        Ok(results)
    }

    /// Encodes a run into an encoder of the program's; outputs as in [`Ready::run_device_async`].
    ///
    /// # Errors
    /// As [`Compiled::record_async`]; part of the network runs on the host.
    pub(super) async fn record_async(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, Input<'_>)],
        outputs: &[Option<&DeviceTensor>],
    ) -> Result<Vec<DeviceTensor>> {
        if !self.is_on_device() {
            let text = "part of the network runs on the host, with numbers of 64 bits: it cannot be recorded";
            return Err(Error::unsupported(text));
        }
        self.compiled.record_async(encoder, inputs, outputs).await
    }

    fn is_on_device(&self) -> bool {
        self.host.is_none() && self.compiled.device().same(&self.device)
    }

    /// Names and descriptions of the results.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (&str, &Desc)> {
        self.graph().outputs()
    }
}

/// The nodes of a graph that run on the host, and what passes between them and the device.
#[derive(Debug)]
pub struct Host {
    graph: Graph,
    before: Vec<Node>,
    after: Vec<Node>,
    /// What the device is given, and what it gives.
    to_device: Vec<ValueId>,
    from_device: Vec<ValueId>,
}

/// The part of a graph that runs on the device, and the rest. `None`: all of it runs there.
pub fn split(graph: &mut Graph) -> Option<Host> {
    let needs = needing(graph);
    let passes = |id: &ValueId| {
        let bypasses = graph.inputs.contains(id) || graph.constant_of(*id).is_some();
        bypasses && matches!(graph.desc(*id).dtype, DType::I64 | DType::F64)
    };
    let passes = graph.outputs.iter().any(|(_, id)| passes(id));
    if !needs.contains(&true) && !passes {
        return None;
    }
    let light: Vec<bool> = graph.nodes.iter().map(|n| is_light(graph, n)).collect();
    let before = leading(graph, &needs, &light);
    let after = trailing(graph, &needs, &light, &before);
    if !before.contains(&true) && !after.contains(&true) && !passes {
        return None;
    }
    let whole = graph.clone();
    let pick = |wanted: &[bool]| {
        whole.nodes.iter().zip(wanted).filter(|(_, w)| **w).map(|(n, _)| n.clone()).collect::<Vec<_>>()
    };
    let (before_nodes, after_nodes) = (pick(&before), pick(&after));
    let here: Vec<bool> = before.iter().zip(&after).map(|(b, a)| !b && !a).collect();
    graph.nodes = pick(&here);
    let made = |nodes: &[Node]| {
        let mut made = vec![false; whole.values.len()];
        nodes.iter().flat_map(|n| &n.outputs).for_each(|id| made[id.0] = true);
        made
    };
    let (on_device, on_host) = (made(&graph.nodes), made(&before_nodes));
    let is_input = |id: &ValueId| whole.inputs.contains(id);
    let mut to_device: Vec<ValueId> = vec![];
    for id in graph.nodes.iter().flat_map(|n| &n.inputs) {
        if (on_host[id.0] || is_input(id)) && !to_device.contains(id) {
            to_device.push(*id);
        }
    }
    let mut from_device: Vec<ValueId> = vec![];
    let read = after_nodes.iter().flat_map(|n| &n.inputs).chain(whole.outputs.iter().map(|(_, id)| id));
    for id in read.filter(|id| on_device[id.0]) {
        if !from_device.contains(id) {
            from_device.push(*id);
        }
    }
    for id in to_device.iter().filter(|id| on_host[id.0]) {
        let value = &mut graph.values[id.0];
        value.name = format!("{} ({})", value.name, id.0);
    }
    graph.inputs.clone_from(&to_device);
    graph.outputs = from_device.iter().map(|id| (format!("{}", id.0), *id)).collect();
    graph.remove_dead();
    Some(Host { graph: whole, before: before_nodes, after: after_nodes, to_device, from_device })
}

fn is_light(graph: &Graph, node: &Node) -> bool {
    let (inputs, outputs) = (graph.descs(&node.inputs), graph.descs(&node.outputs));
    let elements = |descs: &[Desc]| descs.iter().map(Desc::numel).sum::<usize>() as u64;
    let most = MOST_FLOPS[0] * elements(&outputs) + MOST_FLOPS[1] * elements(&inputs);
    node.op.is_built_in() && node.op.flops(&inputs, &outputs) <= most
}

/// The nodes, by index, that need the host, and those that could be given a number which the device cannot hold, as every i64
/// of an input is. An index into an axis is none.
fn needing(graph: &Graph) -> Vec<bool> {
    let double = |id: &ValueId| graph.desc(*id).dtype == DType::F64;
    let mut wide = vec![false; graph.values.len()];
    for id in graph.inputs.iter().filter(|id| graph.desc(**id).dtype == DType::I64) {
        wide[id.0] = true;
    }
    let mut needs = vec![];
    for (node, unbounded) in graph.nodes.iter().zip(unbounded(graph)) {
        let reads_wide = node.inputs.iter().enumerate().any(|(k, id)| wide[id.0] && !node.op.is_index(k));
        let need = unbounded || reads_wide || node.inputs.iter().chain(&node.outputs).any(double);
        needs.push(need);
        for id in &node.outputs {
            wide[id.0] = need && matches!(graph.desc(*id).dtype, DType::I64 | DType::F64);
        }
    }
    needs
}

/// The nodes that need the host and depend on nothing but light nodes and inputs; and those light nodes.
fn leading(graph: &Graph, needs: &[bool], light: &[bool]) -> Vec<bool> {
    let mut known: Vec<bool> = graph.values.iter().map(|v| v.constant.is_some()).collect();
    graph.inputs.iter().for_each(|id| known[id.0] = true);
    let mut possible = vec![false; needs.len()];
    for (k, node) in graph.nodes.iter().enumerate() {
        possible[k] = light[k] && node.inputs.iter().all(|id| known[id.0]);
        node.outputs.iter().for_each(|id| known[id.0] = possible[k]);
    }
    let mut wanted = vec![false; graph.values.len()];
    let mut chosen = vec![false; needs.len()];
    for (k, node) in graph.nodes.iter().enumerate().rev() {
        chosen[k] = possible[k] && (needs[k] || node.outputs.iter().any(|id| wanted[id.0]));
        if chosen[k] {
            node.inputs.iter().for_each(|id| wanted[id.0] = true);
        }
    }
    chosen
}

/// The nodes that need the host and on which nothing but light nodes and outputs depend; and those light nodes.
fn trailing(graph: &Graph, needs: &[bool], light: &[bool], before: &[bool]) -> Vec<bool> {
    let mut free = vec![true; graph.values.len()];
    let mut possible = vec![false; needs.len()];
    for (k, node) in graph.nodes.iter().enumerate().rev() {
        possible[k] = light[k] && !before[k] && node.outputs.iter().all(|id| free[id.0]);
        if !possible[k] && !before[k] {
            node.inputs.iter().for_each(|id| free[id.0] = false);
        }
    }
    let mut made = vec![false; graph.values.len()];
    let mut chosen = vec![false; needs.len()];
    for (k, node) in graph.nodes.iter().enumerate() {
        chosen[k] = possible[k] && (needs[k] || node.inputs.iter().any(|id| made[id.0]));
        if chosen[k] {
            node.outputs.iter().for_each(|id| made[id.0] = true);
        }
    }
    chosen
}

impl Host {
    /// Runs what comes before the device: what it is given, in order.
    pub fn before(&self, inputs: &[&Tensor]) -> Result<(Values, Vec<Tensor>)> {
        let mut values = Values::new(&self.graph, inputs);
        self.before.iter().try_for_each(|node| values.evaluate(node))?;
        let given = self.to_device.iter().map(|id| values.get(*id)).collect();
        Ok((values, given))
    }

    /// Runs what comes after the device, which gave these: the results of the network.
    pub fn after(&self, mut values: Values, results: Vec<Tensor>) -> Result<Vec<Tensor>> {
        values.set(&self.from_device, results);
        self.after.iter().try_for_each(|node| values.evaluate(node))?;
        Ok(values.outputs(&self.graph))
    }

    /// Whether the device has nothing to do.
    pub fn is_all(&self) -> bool {
        self.from_device.is_empty()
    }
}

//! A network made ready for a device: planned, compiled, and run any number of times.

use std::sync::Arc;

use crate::device::{Device, DeviceTensor, Storage};
use crate::error::{Error, Result};
use crate::gpu::program::{Program, Source};
use crate::graph::plan::{Plan, PlanOptions};
use crate::graph::rewrite::{Firing, rewrite};
use crate::graph::{Graph, Node};
use crate::shape::Desc;
use crate::tensor::Tensor;

/// How a network is compiled.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// Rewrite the graph (fusion) before planning.
    pub rewrite: bool,
    /// How it is planned.
    pub plan: PlanOptions,
}

impl Default for CompileOptions {
    fn default() -> CompileOptions {
        CompileOptions { rewrite: true, plan: PlanOptions::default() }
    }
}

/// A network compiled for a device. Runs from several threads take turns.
pub struct Session {
    device: Device,
    graph: Graph,
    fired: Vec<Firing>,
    compiled: Option<(Plan, Program)>,
}

/// The named results of a run, in the order of the graph's outputs.
#[derive(Clone, Debug)]
pub struct Outputs(pub Vec<(String, Tensor)>);

impl Outputs {
    /// The result of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }
    /// The first result.
    pub fn first(&self) -> &Tensor {
        &self.0[0].1
    }
}

impl std::ops::Index<&str> for Outputs {
    type Output = Tensor;
    fn index(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("the network has no output named {name}"))
    }
}

impl Session {
    /// Compiles a graph for a device.
    ///
    /// # Errors
    /// An operator has no kernel for its case, the device lacks memory, or it is lost.
    pub async fn new_async(device: &Device, mut graph: Graph, options: &CompileOptions) -> Result<Session> {
        let fired = if options.rewrite { rewrite(&mut graph) } else { vec![] };
        let compiled = match device.gpu() {
            None => None,
            Some(gpu) => {
                let plan = Plan::new(&graph, gpu.caps(), &options.plan)?;
                let program = Program::new(gpu, &plan.recording).await?;
                Some((plan, program))
            }
        };
        Ok(Session { device: device.clone(), graph, fired, compiled })
    }

    /// Runs the network on host tensors, each named as the graph names its input.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; the device is lost.
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        let ordered = self.order(inputs, |t| t.desc())?;
        let tensors = match &self.compiled {
            None => self.run_reference(&ordered)?,
            Some((_, program)) => {
                let mut bytes = vec![];
                for t in ordered {
                    bytes.push(t.to_device_bytes()?);
                }
                let sources: Vec<_> = bytes.iter().map(|b| Source::Host(b)).collect();
                let found = program.run(&sources).await?;
                let descs = self.graph.outputs().map(|(_, d)| d);
                descs.zip(found).map(|(d, bytes)| Tensor::from_device_bytes(d, &bytes)).collect()
            }
        };
        Ok(Outputs(self.graph.outputs().map(|(name, _)| name.to_owned()).zip(tensors).collect()))
    }

    /// Runs the network on tensors of its device and leaves the results there.
    ///
    /// # Errors
    /// As [`Session::run_async`]; an input is on another device.
    pub async fn run_device_async(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Vec<DeviceTensor>> {
        let ordered = self.order(inputs, |t| t.desc().clone())?;
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
        Ok(descs.zip(storages).map(|(desc, s)| DeviceTensor::new(&self.device, desc, s)).collect())
    }

    /// The inputs in the graph's order, checked.
    fn order<'a, T>(&self, given: &[(&str, &'a T)], desc: impl Fn(&T) -> Desc) -> Result<Vec<&'a T>> {
        if let Some((name, _)) = given.iter().find(|(name, _)| !self.graph.inputs().any(|(n, _)| n == *name)) {
            let known: Vec<_> = self.graph.inputs().map(|(n, _)| n).collect();
            return Err(Error::argument(format!("there is no input named {name}; inputs: {}", known.join(", "))));
        }
        let find = |(name, wanted): (&str, &Desc)| {
            let Some((_, tensor)) = given.iter().find(|(n, _)| *n == name) else {
                return Err(Error::argument(format!("input {name} {wanted} is missing")));
            };
            let have = desc(tensor);
            if have != *wanted {
                return Err(Error::shape(format!("input {name} must be {wanted}, is {have}")));
            }
            Ok(*tensor)
        };
        self.graph.inputs().map(find).collect()
    }

    fn run_reference(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let mut values: Vec<Option<Tensor>> = self.graph.values.iter().map(|v| v.constant.clone()).collect();
        for (id, tensor) in self.graph.inputs.iter().zip(inputs) {
            values[id.0] = Some((*tensor).clone());
        }
        for node in &self.graph.nodes {
            let get = |id: &crate::graph::ValueId| values[id.0].clone().expect("nodes come after their inputs");
            let inputs: Vec<_> = node.inputs.iter().map(get).collect();
            let outputs = evaluate(node, &inputs)?;
            for (id, tensor) in node.outputs.iter().zip(outputs) {
                values[id.0] = Some(tensor);
            }
        }
        Ok(self.graph.outputs.iter().map(|(_, id)| values[id.0].clone().expect("computed")).collect())
    }

    /// The graph that runs: after rewriting.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
    /// Which rewrites fired, where.
    pub fn rewrites(&self) -> &[Firing] {
        &self.fired
    }
    /// The plan; `None` on the reference, which needs none.
    pub fn plan(&self) -> Option<&Plan> {
        self.compiled.as_ref().map(|(plan, _)| plan)
    }
    /// Distinct compute pipelines.
    pub fn pipelines(&self) -> usize {
        self.compiled.as_ref().map_or(0, |(_, program)| program.pipelines())
    }
    /// The device it was compiled for.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// One node on the reference, epilogue included.
pub(crate) fn evaluate(node: &Node, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = node.op.reference(own).map_err(|e| e.at(node.name.clone()))?;
    if !node.epilogue.is_none() {
        outputs[0] = node.epilogue.apply(inputs, &outputs[0], &vec![0.0; outputs[0].numel()]).0;
    }
    Ok(outputs)
}

/// One node on the reference with the error bound of every output element, epilogue included.
pub fn evaluate_with_bounds(node: &Node, inputs: &[Tensor]) -> Result<(Vec<Tensor>, Vec<Vec<f32>>)> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = node.op.reference(own).map_err(|e| e.at(node.name.clone()))?;
    let mut bounds = node.op.bounds(own, &outputs)?;
    (outputs[0], bounds[0]) = node.epilogue.apply(inputs, &outputs[0], &bounds[0]);
    Ok((outputs, bounds))
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    #[cfg(not(target_arch = "wasm32"))]
    shared::<Arc<Session>>();
};

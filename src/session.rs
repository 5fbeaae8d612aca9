//! A network made ready for a device: planned and compiled once for every set of input shapes, run any number of times.

use std::sync::{Arc, Mutex};

use crate::device::{Device, DeviceTensor, Storage};
use crate::error::{Error, Result};
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::profile::Profile;
pub use crate::gpu::program::Progress;
use crate::gpu::program::{Program, Source};
#[cfg(not(target_arch = "wasm32"))]
use crate::gpu::recording::Dispatch;
use crate::graph::plan::{Plan, PlanOptions};
use crate::graph::rewrite::{Firing, rewrite, split_large_weights};
use crate::graph::{Graph, Node};
use crate::ops::{self, Algorithm};
use crate::shape::{Desc, Precision};
use crate::tensor::Tensor;

/// How a network is compiled.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// Rewrite the graph (fusion) before planning.
    pub rewrite: bool,
    /// How it is planned.
    pub plan: PlanOptions,
    /// Who is told how far compiling is.
    pub progress: Option<Progress>,
}

impl Default for CompileOptions {
    fn default() -> CompileOptions {
        CompileOptions { rewrite: true, plan: PlanOptions::default(), progress: None }
    }
}

/// A graph compiled for a device. Runs from several threads take turns.
pub struct Compiled {
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

impl Compiled {
    /// Compiles a graph for a device.
    ///
    /// # Errors
    /// An operator has no kernel for its case, the device lacks memory or f16 where it is asked for, or it is lost.
    pub async fn new_async(device: &Device, mut graph: Graph, options: &CompileOptions) -> Result<Compiled> {
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
                let plan = Plan::new(&graph, gpu.caps(), &options.plan)?;
                let program = Program::new(gpu, &plan.recording, options.progress.as_ref()).await?;
                Some((plan, program))
            }
        };
        Ok(Compiled { device: device.clone(), graph, fired, compiled })
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
                let bytes = ordered.iter().map(|t| t.to_device_bytes()).collect::<Result<Vec<_>>>()?;
                let sources: Vec<_> = bytes.iter().map(|b| Source::Host(b)).collect();
                let descs: Vec<_> = self.graph.outputs().map(|(_, d)| d).collect();
                program.run(&sources, |slot, bytes| Tensor::from_device_bytes(descs[slot], bytes)).await?
            }
        };
        Ok(Outputs(self.graph.outputs().map(|(name, _)| name.to_owned()).zip(tensors).collect()))
    }

    /// Runs the network on tensors of its device and leaves the results there.
    ///
    /// # Errors
    /// As [`Compiled::run_async`]; an input is on another device.
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

    /// One run with every dispatch timed, each in a pass of its own.
    ///
    /// # Errors
    /// As [`Compiled::run_async`]; the reference, which has no dispatches.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn profile_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Profile> {
        let (plan, program) = self.on_gpu()?;
        let ordered = self.order(inputs, |t| t.desc())?;
        let bytes = ordered.iter().map(|t| t.to_device_bytes()).collect::<Result<Vec<_>>>()?;
        let sources: Vec<_> = bytes.iter().map(|b| Source::Host(b)).collect();
        program.profile(&plan.recording, &sources).await
    }

    /// Seconds of the dispatches of a run that `wanted` picks, once: the mean of `repeats` without upload and readback.
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

/// An input of a run before the run: its name, its description, and its value if it decides a shape.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// The input's name.
    pub name: &'a str,
    /// Shape and type.
    pub desc: Desc,
    /// The elements, for inputs that [`Network::shape_inputs`] names.
    pub value: Option<Tensor>,
}

/// Something that gives a graph once the shapes of its inputs are known: a [`Graph`] itself, or a model file.
pub trait Network: Send + Sync {
    /// The graph for these inputs.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; a node does not fit; an operator is not supported.
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph>;

    /// Inputs whose values decide shapes: read on the host before planning, and part of what a plan is kept under.
    fn shape_inputs(&self) -> Vec<String> {
        vec![]
    }

    /// The descriptions of the inputs, if they are all fixed: then a session compiles when it is made.
    fn fixed_inputs(&self) -> Option<Vec<(String, Desc)>>;
}

impl Network for Graph {
    fn bind(&self, _: &[Given<'_>]) -> Result<Graph> {
        Ok(self.clone())
    }
    fn fixed_inputs(&self) -> Option<Vec<(String, Desc)>> {
        Some(self.inputs().map(|(name, desc)| (name.to_owned(), desc.clone())).collect())
    }
}

/// Plans that a session keeps; the least recently used leaves first.
const KEPT_PLANS: usize = 8;

/// A network on a device. A new set of input shapes compiles a plan of its own; the last few are kept.
pub struct Session {
    device: Device,
    options: CompileOptions,
    network: Box<dyn Network>,
    kept: Mutex<Vec<(String, Arc<Compiled>)>>,
}

impl Session {
    /// Makes a network ready. If its shapes are all fixed it is compiled now, else at the first run.
    ///
    /// # Errors
    /// An operator has no kernel for its case, the device lacks memory, or it is lost.
    pub async fn new_async(
        device: &Device,
        network: impl Network + 'static,
        options: &CompileOptions,
    ) -> Result<Session> {
        let session = Session {
            device: device.clone(),
            options: options.clone(),
            network: Box::new(network),
            kept: Mutex::default(),
        };
        if session.network.shape_inputs().is_empty()
            && let Some(fixed) = session.network.fixed_inputs()
        {
            let given = fixed.iter().map(|(name, desc)| Given { name, desc: desc.clone(), value: None });
            session.compiled_async(&given.collect::<Vec<_>>()).await?;
        }
        Ok(session)
    }

    /// The network compiled for these inputs, now if it has not been.
    ///
    /// # Errors
    /// As [`Session::new_async`] and [`Network::bind`].
    pub async fn compiled_async(&self, given: &[Given<'_>]) -> Result<Arc<Compiled>> {
        let mut parts: Vec<_> = given.iter().map(|g| format!("{}:{}={:?}", g.name, g.desc, key_of(&g.value))).collect();
        parts.sort();
        let key = parts.join(";");
        if let Some(found) = self.recall(&key) {
            return Ok(found);
        }
        let graph = self.network.bind(given)?;
        let made = Arc::new(Compiled::new_async(&self.device, graph, &self.options).await?);
        let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
        if kept.len() >= KEPT_PLANS {
            kept.remove(0);
        }
        kept.push((key, made.clone()));
        Ok(made)
    }

    /// The plan of this key, moved to the recent end.
    fn recall(&self, key: &str) -> Option<Arc<Compiled>> {
        let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
        let at = kept.iter().position(|(k, _)| k == key)?;
        let entry = kept.remove(at);
        let found = entry.1.clone();
        kept.push(entry);
        Some(found)
    }

    /// The plan used last; `None` before the first run of a network whose shapes are not fixed.
    pub fn latest(&self) -> Option<Arc<Compiled>> {
        self.kept.lock().unwrap_or_else(|e| e.into_inner()).last().map(|(_, c)| c.clone())
    }

    /// Runs the network on host tensors, each named as the network names its input.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; the device is lost.
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        let shaping = self.network.shape_inputs();
        let value = |name: &str, t: &Tensor| shaping.iter().any(|s| s == name).then(|| t.clone());
        let given: Vec<_> =
            inputs.iter().map(|&(name, t)| Given { name, desc: t.desc(), value: value(name, t) }).collect();
        let compiled = self.compiled_async(&given).await?;
        let used: Vec<_> =
            inputs.iter().filter(|(name, _)| value(name, &Tensor::zeros([0])).is_none()).copied().collect();
        compiled.run_async(&used).await
    }

    /// Runs the network on tensors of its device and leaves the results there. Inputs that decide shapes are read back.
    ///
    /// # Errors
    /// As [`Session::run_async`]; an input is on another device.
    pub async fn run_device_async(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Vec<DeviceTensor>> {
        let shaping = self.network.shape_inputs();
        let mut given = vec![];
        let mut used = vec![];
        for &(name, t) in inputs {
            let shapes = shaping.iter().any(|s| s == name);
            let value = if shapes { Some(t.to_host_async().await?) } else { None };
            if !shapes {
                used.push((name, t));
            }
            given.push(Given { name, desc: t.desc().clone(), value });
        }
        self.compiled_async(&given).await?.run_device_async(&used).await
    }

    /// The device it was made for.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// A value as part of a key: its exact elements.
fn key_of(value: &Option<Tensor>) -> Option<Vec<u64>> {
    value.as_ref().map(|t| t.to_f64s().into_iter().map(f64::to_bits).collect())
}

/// One node on the reference, epilogue included.
pub(crate) fn evaluate(node: &Node, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = ops::evaluate(&*node.op, own).map_err(|e| e.at(node.name.clone()))?;
    if !node.epilogue.is_none() {
        outputs[0] = node.epilogue.apply(inputs, &outputs[0], &vec![0.0; outputs[0].numel()]).0;
    }
    Ok(outputs)
}

/// One node on the reference with the error bound that the algorithm has for every output element, epilogue included.
pub fn evaluate_with_bounds(
    node: &Node,
    inputs: &[Tensor],
    algorithm: Algorithm,
) -> Result<(Vec<Tensor>, Vec<Vec<f32>>)> {
    let own = &inputs[..node.own_inputs()];
    let mut outputs = ops::evaluate(&*node.op, own).map_err(|e| e.at(node.name.clone()))?;
    let mut bounds = ops::bounds(&*node.op, algorithm, own, &outputs)?;
    (outputs[0], bounds[0]) = node.epilogue.apply(inputs, &outputs[0], &bounds[0]);
    Ok((outputs, bounds))
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    #[cfg(not(target_arch = "wasm32"))]
    shared::<(Session, Compiled, DeviceTensor)>();
};

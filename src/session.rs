//! A network compiled for a device: planned once per set of input shapes, run any number of times.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::CommandEncoder;
pub use crate::gpu::pipelines::Progress;
use crate::graph::Graph;
use crate::shape::{DType, Desc, ValueInfo, check_inputs, list, takes};
use crate::tensor::Tensor;

mod compiled;
mod host;
mod input;
mod options;
mod outputs;
mod planned;
mod plans;
mod run;

pub use compiled::{Compiled, evaluate_with_bounds};
pub use options::{CompileOptions, with_plan};
pub use outputs::Outputs;

pub use input::Input;
pub use run::Run;

pub(crate) use host::{Planned, Ready};
use input::OwnedInput;
pub(crate) use planned::Memory;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use planned::together;
use plans::Plans;
use run::Flights;

/// The graph and plan that a session used last; `None` before the first run of a network whose shapes are not fixed.
pub fn latest(session: &Session) -> Option<Arc<Compiled>> {
    session.0.plans.list().last().map(|(_, ready)| ready.compiled.clone())
}

/// An input of a run: its name, its description, and its value if that decides a shape.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// The input's name.
    pub name: &'a str,
    /// Shape and type.
    pub desc: Desc,
    /// The elements, for inputs that [`Bind::shape_inputs`] names.
    pub value: Option<Tensor>,
}

/// A network that a [`Session`] can run: a [`Graph`] or a [`Model`](crate::Model). Other types cannot implement it.
pub trait Network: Bind {}

/// The methods of a network that a session uses.
pub trait Bind: Send + Sync {
    /// The graph for these inputs.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; a node does not fit; an operator is not supported.
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph>;

    /// Inputs whose values decide shapes: read on the host before planning, and part of the key of a plan.
    fn shape_inputs(&self) -> Vec<String> {
        vec![]
    }

    /// Drops the constants if the network has one graph only, which has been made: it is not asked for another.
    fn release(&mut self) {}

    /// The inputs of a run.
    fn declared_inputs(&self) -> Vec<ValueInfo>;

    /// What a run may be given besides: the network has a value for each.
    fn optional_inputs(&self) -> Vec<ValueInfo> {
        vec![]
    }

    /// The outputs of a run.
    fn declared_outputs(&self) -> Vec<ValueInfo>;
}

/// An error unless these are the inputs that a network declares, or some of the optional ones besides.
pub(crate) fn check_given(inputs: &[ValueInfo], optional: &[ValueInfo], given: &[Given<'_>]) -> Result<()> {
    check_inputs(inputs, optional, &given.iter().map(|g| (g.name, &g.desc)).collect::<Vec<_>>())
}

impl Network for Graph {}

impl Bind for Graph {
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        check_given(&self.declared_inputs(), &[], inputs)?;
        Ok(self.clone())
    }
    fn release(&mut self) {
        self.values.iter_mut().for_each(|value| value.constant = None);
    }
    fn declared_inputs(&self) -> Vec<ValueInfo> {
        self.inputs().map(|(name, desc)| ValueInfo::of(name, desc)).collect()
    }
    fn declared_outputs(&self) -> Vec<ValueInfo> {
        self.outputs().map(|(name, desc)| ValueInfo::of(name, desc)).collect()
    }
}

impl Graph {
    /// Compiles the network for a device with the default options; [`Session::new_async`] takes others.
    ///
    /// # Errors
    /// As [`Session::new_async`].
    pub async fn compile_async(self, device: &Device) -> Result<Session> {
        Session::new_async(device, self, CompileOptions::new()).await
    }
}

/// A network on a device. Every new set of input shapes is planned and compiled; the last few plans are kept
/// ([`CompileOptions::max_plans`]). Threads may share a session; their runs are executed one after another.
///
/// ```
/// use convgpu::{CompileOptions, Desc, Device, ErrorKind, Graph, Session, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([1, 4]))?;
/// let y = graph.softmax(x, 1)?;
/// graph.output("probabilities", y);
///
/// let device = Device::cpu(); // Device::new()? is the best GPU
/// let session = Session::new(&device, graph, CompileOptions::new())?;
/// assert_eq!(session.inputs()[0].to_string(), "x: f32[1, 4]");
///
/// let outputs = session.run(&[("x", &Tensor::from([[0.0f32, 0.0, 0.0, 0.0]]))])?;
/// assert_eq!(outputs["probabilities"], Tensor::from([[0.25f32; 4]]));
///
/// let e = session.run(&[("x", &Tensor::from([0.0f32; 4]))]).unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Shape);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    device: Device,
    options: CompileOptions,
    network: Arc<dyn Bind>,
    inputs: Vec<ValueInfo>,
    optional: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    /// Names of inputs whose values decide shapes.
    shaping: Vec<String>,
    /// Whether the only plan that there can be is made, and the network has no weights for another.
    complete: bool,
    plans: Plans,
    /// A lock per plan that is being made.
    making: Mutex<HashMap<String, Weak<Turn>>>,
    flights: Flights,
}

/// Held by the call that makes a plan; others that need the plan wait for it.
type Turn = futures_intrusive::sync::Mutex<()>;

/// As [`Given`], without borrowing.
type Owned = (String, Desc, Option<Tensor>);

impl Session {
    /// Compiles a network: now if all its shapes are fixed, else at the first run.
    ///
    /// # Errors
    /// An operator has no kernel for its case; the device lacks memory or the requested f16, or it is lost; the network
    /// has no outputs, or two inputs or outputs of one name; [`CompileOptions::max_plans`] or
    /// [`CompileOptions::in_flight`] is 0; the only plan exceeds [`CompileOptions::memory_limit`].
    pub async fn new_async(
        device: &Device,
        network: impl Network + 'static,
        options: CompileOptions,
    ) -> Result<Session> {
        if options.max_plans == 0 {
            return Err(Error::argument("max_plans is 0: a session keeps at least the plan that it runs"));
        }
        if options.in_flight == 0 {
            return Err(Error::argument("in_flight is 0: a session has at least one run in flight"));
        }
        let (inputs, shaping) = (network.declared_inputs(), network.shape_inputs());
        // As a run gives them: in the type that the network computes in.
        let given = |name: &str, desc: Desc| (name.to_owned(), Desc::new(desc.shape, desc.dtype.computed()), None);
        let fixed = inputs.iter().map(|v| v.fixed().map(|desc| given(&v.name, desc)));
        let fixed: Option<Vec<Owned>> = fixed.collect();
        let only = fixed.filter(|_| !inputs.iter().any(|v| shaping.contains(&v.name)));
        let complete = only.is_some() && !options.keep_weights && network.optional_inputs().is_empty();
        let mut inner = Inner {
            device: device.clone(),
            inputs,
            optional: network.optional_inputs(),
            outputs: network.declared_outputs(),
            shaping,
            complete,
            network: Arc::new(network),
            plans: Plans::new(options.max_plans, options.memory_limit),
            making: Mutex::default(),
            flights: Flights::new(options.in_flight),
            options: CompileOptions { weights: false, ..options },
        };
        let Some(given) = only else { return Ok(Session(Arc::new(inner))) };
        let make = async move {
            let graph = inner.bind(&given)?;
            if complete && let Some(network) = Arc::get_mut(&mut inner.network) {
                network.release();
            }
            inner.compile(key_for(&given), graph).await?;
            Ok(Session(Arc::new(inner)))
        };
        device.beside(make).await?
    }

    /// The inputs of a run: names, types, and extents as far as the network fixes them.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.0.inputs
    }

    /// What a run may be given besides: the network has a value for each, which holds unless a run gives another.
    pub fn optional_inputs(&self) -> &[ValueInfo] {
        &self.0.optional
    }

    /// The outputs of a run, in order: names, types, and extents as far as the network fixes them.
    pub fn outputs(&self) -> &[ValueInfo] {
        &self.0.outputs
    }

    /// The device it was made for.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// What a plan for these inputs takes, before anything of it is allocated or compiled.
    ///
    /// ```
    /// use convgpu::{CompileOptions, Desc, Device, Graph, Session};
    ///
    /// let mut graph = Graph::new();
    /// let x = graph.input("x", Desc::f32([1, 3, 32, 32]))?;
    /// let y = graph.softmax(x, 1)?;
    /// graph.output("y", y);
    /// let session = graph.compile(&Device::cpu())?;
    /// let plan = session.plan_for(&[("x", Desc::f32([1, 3, 32, 32]))])?;
    /// assert_eq!(plan.peak_bytes(), 0, "the reference plans no memory");
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// An input is missing, unknown, misshaped, or one whose value decides shapes; an operator has no kernel for its case.
    pub fn plan_for(&self, inputs: &[(&str, Desc)]) -> Result<PlanInfo> {
        let given = self.described(inputs)?;
        if let Some(memory) = self.0.plans.memory(&key_for(&given)) {
            return Ok(PlanInfo(memory));
        }
        let graph = self.0.bind(&given)?;
        Ok(PlanInfo(Planned::new(&self.0.device, graph, &self.0.options)?.memory()))
    }

    /// Drops the plan for these inputs and with it its memory on the device; a later run makes it again. Gives whether there was
    /// one. The only plan of a network whose shapes are all fixed stays, since the host has no weights to make it again,
    /// unless [`CompileOptions::keep_weights`] says that it keeps them.
    ///
    /// # Errors
    /// An input is missing, unknown, misshaped, or one whose value decides shapes.
    pub fn forget(&self, inputs: &[(&str, Desc)]) -> Result<bool> {
        let given = self.described(inputs)?;
        Ok(!self.0.complete && self.0.plans.forget(&key_for(&given)))
    }

    /// Drops all plans, as [`Session::forget`].
    pub fn clear(&self) {
        if !self.0.complete {
            self.0.plans.clear();
        }
    }

    /// Inputs by their descriptions, in the types in which the network computes.
    fn described(&self, inputs: &[(&str, Desc)]) -> Result<Vec<Owned>> {
        if let Some((name, _)) = inputs.iter().find(|(name, _)| self.0.shapes(name)) {
            let text =
                format!("the value of the input {name} decides shapes: its description is not enough for a plan");
            return Err(Error::argument(text));
        }
        let one = |(name, desc): &(&str, Desc)| {
            let desc = Desc::new(desc.shape.clone(), self.0.computed(name, desc.dtype));
            ((*name).to_owned(), desc, None)
        };
        let owned: Vec<Owned> = inputs.iter().map(one).collect();
        check_given(&self.0.inputs, &self.0.optional, &given(&owned))?;
        Ok(owned)
    }

    /// The network compiled for these inputs; compiles it first if needed.
    async fn ready(&self, given: Vec<Owned>) -> Result<Arc<Ready>> {
        let key = key_for(&given);
        if let Some(found) = self.0.plans.recall(&key) {
            return Ok(found);
        }
        // To its end, even if nobody awaits it any more: others may wait for their turn.
        let inner = self.0.clone();
        self.0.device.beside(async move { inner.make(key, &given).await }).await?
    }

    /// Runs the network on host tensors, each named as the network names its input; the results have the names of its
    /// outputs. A new set of shapes is compiled first.
    ///
    /// The thread that awaits is free meanwhile: compiling, and a run of the reference, take a thread of their own, and a thread
    /// of the device wakes the future. (A device from [`Device::from_wgpu`] has none: the program polls its wgpu device.) A
    /// future may be dropped at any point; what has been submitted is computed, the rest is not.
    ///
    /// # Errors
    /// An input is missing, unknown, misshaped or given twice; the device lacks memory or is lost; where the network is
    /// compiled, as [`Session::new_async`].
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        self.start(inputs).await?.await
    }

    /// Gives a run to the device, which computes it while the program goes on; the results are awaited by the [`Run`]. So
    /// the host prepares the next run and takes the results of the last one while the device computes.
    ///
    /// At most [`CompileOptions::in_flight`] runs of a session are in flight: one more waits for the oldest.
    ///
    /// # Errors
    /// As [`Session::run_async`].
    pub async fn submit_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Run> {
        let run = self.0.flights.reserve().await;
        run.started(Box::pin(self.start(inputs).await?));
        Ok(run)
    }

    /// As [`Session::submit_async`], without waiting for room.
    ///
    /// # Errors
    /// Of kind [`Busy`](crate::ErrorKind::Busy) if as many runs are in flight as may be; otherwise as
    /// [`Session::run_async`].
    pub async fn try_submit_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Run> {
        let most = self.0.options.in_flight;
        let busy = || Error::new(ErrorKind::Busy, format!("{most} runs of the session are in flight: take one first"));
        let run = self.0.flights.try_reserve().ok_or_else(busy)?;
        run.started(Box::pin(self.start(inputs).await?));
        Ok(run)
    }

    /// Starts a run. What is given back awaits its results; it borrows nothing.
    async fn start(&self, inputs: &[(&str, &Tensor)]) -> Result<impl Future<Output = Result<Outputs>> + use<>> {
        let inputs: Vec<_> = inputs.iter().map(|&(name, t)| (name, self.0.as_computed(name, t))).collect();
        let value = |name: &str, t: &Tensor| self.0.shapes(name).then(|| t.clone());
        let given = inputs.iter().map(|(name, t)| ((*name).to_owned(), t.desc(), value(name, t)));
        let ready = self.ready(given.collect()).await?;
        let used: Vec<_> = inputs.iter().filter(|(name, _)| !self.0.shapes(name)).map(|(name, t)| (*name, t)).collect();
        let flight = ready.start(&used).await?;
        let inner = self.0.clone();
        Ok(async move {
            let device = inner.device.clone();
            let results = match device.is_reference() {
                true => device.beside(async move { ready.finish(flight).await }).await??,
                false => ready.finish(flight).await?,
            };
            let typed = |(name, t): (String, Tensor)| {
                let dtype = inner.declared(&name, t.dtype());
                (name, t.to_dtype(dtype))
            };
            Ok(Outputs(results.into_iter().map(typed).collect()))
        })
    }

    /// Runs the network and leaves the results on its device. Inputs are tensors of the device or of the host ([`Input`]); those
    /// that decide shapes are read on the host.
    ///
    /// # Errors
    /// As [`Session::run_async`]; an input is on another device, or is recorded and its encoder is not submitted.
    pub async fn run_device_async<'a, I: Copy + Into<Input<'a>>>(
        &self,
        inputs: &[(&str, I)],
    ) -> Result<Outputs<DeviceTensor>> {
        let call = self.call(inputs).await?;
        let results = call.ready.run_device_async(&call.inputs(), &[]).await?;
        Ok(self.named(&call.ready, results))
    }

    /// Runs the network and writes the results into tensors of the program: all of them, or some; the others are dropped. Each
    /// comes from [`DeviceTensor::from_buffer`], or its buffer was taken by [`DeviceTensor::buffer`].
    ///
    /// # Errors
    /// As [`Session::run_device_async`]; an output is unknown, misshaped, given twice, on another device, or not the
    /// program's; its buffer lacks `COPY_DST` or is destroyed; it has bytes in common with an input or another output.
    pub async fn run_into_async<'a, I: Copy + Into<Input<'a>>>(
        &self,
        inputs: &[(&str, I)],
        outputs: &[(&str, &DeviceTensor)],
    ) -> Result<()> {
        let call = self.call(inputs).await?;
        let given = self.given_outputs(&call, outputs)?;
        call.ready.run_device_async(&call.inputs(), &given).await.map(drop)
    }

    /// Encodes a run into an encoder of the program's, which submits it: so a frame is one submission, with passes of the program
    /// before and after. The results are tensors for further passes ([`DeviceTensor::buffer`]), further calls of
    /// `record`, and, once the encoder is submitted, for any call; before that, calls that read them give an error.
    ///
    /// The commands hold the memory that they use, and each recorded run writes its inputs there first: several may be recorded
    /// into one encoder, and other runs may come between recording and submitting. Inputs that are recorded themselves must be
    /// written by the same encoder, or by one that is submitted before.
    ///
    /// ```
    /// use convgpu::{DeviceTensor, Result, Session, wgpu};
    ///
    /// /// A frame: what a pass of the program wrote goes through the network and on to another pass.
    /// async fn frame(session: &Session, encoder: &mut wgpu::CommandEncoder, painted: &DeviceTensor) -> Result<wgpu::Buffer> {
    ///     let outputs = session.record_async(encoder, &[("image", painted)]).await?;
    ///     Ok(outputs["styled"].buffer()?.0)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Session::run_device_async`]; the device is the CPU reference; an input decides shapes by its value; a run is
    /// submitted in parts ([`CompileOptions::submit_limit`]); part of the network runs on the host.
    pub async fn record_async(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, &DeviceTensor)],
    ) -> Result<Outputs<DeviceTensor>> {
        let call = self.recordable(inputs).await?;
        let results = call.ready.record_async(encoder, &call.inputs(), &[]).await?;
        Ok(self.named(&call.ready, results))
    }

    /// As [`Session::record_async`], with the results in tensors of the program, as in [`Session::run_into_async`].
    ///
    /// # Errors
    /// Those of both.
    pub async fn record_into_async(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, &DeviceTensor)],
        outputs: &[(&str, &DeviceTensor)],
    ) -> Result<()> {
        let call = self.recordable(inputs).await?;
        let given = self.given_outputs(&call, outputs)?;
        call.ready.record_async(encoder, &call.inputs(), &given).await.map(drop)
    }

    async fn recordable(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Call> {
        match inputs.iter().find(|(name, _)| self.0.shapes(name)) {
            Some((name, _)) => {
                let text = format!("the value of the input {name} decides shapes: the run cannot be recorded");
                Err(Error::argument(text))
            }
            None => self.call(inputs).await,
        }
    }

    /// The plan for these inputs, and what it is given.
    async fn call<'a, I: Copy + Into<Input<'a>>>(&self, inputs: &[(&str, I)]) -> Result<Call> {
        let (mut given, mut used) = (vec![], vec![]);
        for &(name, input) in inputs {
            let input: Input<'a> = input.into();
            let value = if self.0.shapes(name) { Some(input.to_host().await?) } else { None };
            let input = input.as_computed(self.0.computed(name, input.desc().dtype));
            given.push((name.to_owned(), input.borrowed().desc(), value));
            if !self.0.shapes(name) {
                used.push((name.to_owned(), input));
            }
        }
        Ok(Call { ready: self.ready(given).await?, inputs: used })
    }

    /// The tensors for results, in the order of the network's outputs.
    fn given_outputs<'o>(
        &self,
        call: &Call,
        outputs: &[(&str, &'o DeviceTensor)],
    ) -> Result<Vec<Option<&'o DeviceTensor>>> {
        let mut given: Vec<Option<&DeviceTensor>> = vec![];
        for (name, desc) in call.ready.outputs() {
            let mut found = outputs.iter().filter(|(n, _)| *n == name).map(|(_, t)| *t);
            let tensor = found.next();
            if found.next().is_some() {
                return Err(Error::argument(format!("the output {name} is given twice")));
            }
            let desc = Desc::new(desc.shape.clone(), self.0.declared(name, desc.dtype));
            tensor
                .map_or(Ok(()), |t| t.check_output(&self.0.device, &desc))
                .map_err(|e| e.within(format_args!("the output {name}")))?;
            given.push(tensor);
        }
        if let Some((name, _)) = outputs.iter().find(|(name, _)| !call.ready.outputs().any(|(n, _)| n == *name)) {
            let known: Vec<_> = call.ready.outputs().map(|(n, _)| n).collect();
            return Err(Error::argument(format!("there is no output named {name}; outputs: {}", known.join(", "))));
        }
        for (k, (name, tensor)) in outputs.iter().enumerate() {
            let inputs = call.inputs.iter().filter_map(|(n, input)| match input {
                OwnedInput::Device(t) => Some((n.as_str(), t)),
                OwnedInput::Host(_) => None,
            });
            let others = outputs[..k].iter().map(|(n, t)| (*n, *t));
            if let Some((other, _)) = inputs.chain(others).find(|(_, other)| tensor.overlaps(other)) {
                return Err(Error::argument(format!("the output {name} has bytes in common with {other}")));
            }
        }
        Ok(given)
    }

    /// Results with the names and types that the network declares.
    fn named(&self, ready: &Ready, results: Vec<DeviceTensor>) -> Outputs<DeviceTensor> {
        let typed = |((name, _), t): ((&str, &Desc), DeviceTensor)| {
            let dtype = self.0.declared(name, t.dtype());
            (name.to_owned(), t.as_float(dtype))
        };
        Outputs(ready.outputs().zip(results).map(typed).collect())
    }
}

/// A plan, and what it is given.
struct Call {
    ready: Arc<Ready>,
    inputs: Vec<(String, OwnedInput)>,
}

impl Call {
    fn inputs(&self) -> Vec<(&str, Input<'_>)> {
        self.inputs.iter().map(|(name, input)| (name.as_str(), input.borrowed())).collect()
    }
}

impl Inner {
    /// Makes a plan, unless another call has made it meanwhile.
    async fn make(&self, key: String, given: &[Owned]) -> Result<Arc<Ready>> {
        let turn = self.turn(&key);
        let _turn = self.device.meanwhile(turn.lock()).await;
        if let Some(found) = self.plans.recall(&key) {
            return Ok(found);
        }
        let graph = self.bind(given)?;
        self.compile(key, graph).await
    }

    /// The network's graph for these inputs.
    fn bind(&self, owned: &[Owned]) -> Result<Graph> {
        self.network.bind(&given(owned))
    }

    /// The lock of the plan with this key.
    fn turn(&self, key: &str) -> Arc<Turn> {
        let mut making = self.making.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(turn) = making.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        making.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::new((), true));
        making.insert(key.to_owned(), Arc::downgrade(&turn));
        turn
    }

    async fn compile(&self, key: String, graph: Graph) -> Result<Arc<Ready>> {
        let planned = Planned::new(&self.device, graph, &self.options)?;
        let memory = planned.memory();
        // What the new plan needs of those that are dropped for it stays on the device.
        let shared = self.device.gpu().map(|gpu| gpu.weights().held(&memory.weights));
        self.plans.make_room(&key, &memory)?;
        let ready = Arc::new(planned.compile(&self.options).await?);
        drop(shared);
        self.plans.keep(key, ready.clone(), memory);
        Ok(ready)
    }

    fn shapes(&self, name: &str) -> bool {
        self.shaping.iter().any(|s| s == name)
    }

    /// The type in which the network computes with an input that is given as this type.
    fn computed(&self, name: &str, given: DType) -> DType {
        let declared = self.inputs.iter().chain(&self.optional).find(|v| v.name == name).and_then(|v| v.dtype);
        declared.filter(|&d| takes(d, given)).map_or(given, DType::computed)
    }

    fn as_computed(&self, name: &str, t: &Tensor) -> Tensor {
        t.to_dtype(self.computed(name, t.dtype()))
    }

    /// The type of an output that the network computes in this type.
    fn declared(&self, name: &str, computed: DType) -> DType {
        let declared = self.outputs.iter().find(|v| v.name == name).and_then(|v| v.dtype);
        declared.filter(|d| d.computed() == computed).unwrap_or(computed)
    }
}

/// What a plan takes on its device.
#[derive(Clone)]
pub struct PlanInfo(Memory);

impl PlanInfo {
    /// Bytes of the device in a run: activations, weights, and a copy of the results that the host reads. While the plan is
    /// made, up to 64 MiB of weights as they come from the host are there besides. 0 on the CPU reference.
    pub fn peak_bytes(&self) -> u64 {
        self.0.bytes()
    }
    /// Bytes of inputs, intermediate tensors and outputs.
    pub fn activation_bytes(&self) -> u64 {
        self.0.activations
    }
    /// Bytes of the weights, which plans on one device share: each exists once there.
    pub fn weight_bytes(&self) -> u64 {
        self.0.weight_bytes()
    }
    /// Bytes of the results.
    pub fn result_bytes(&self) -> u64 {
        self.0.results
    }
}

impl fmt::Display for PlanInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PlanInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlanInfo({self})")
    }
}

/// The device, the inputs and outputs of the network, and the plans that are kept.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "session on {}", self.device())?;
        writeln!(f, "inputs   {}", list(self.inputs()))?;
        writeln!(f, "outputs  {}", list(self.outputs()))?;
        let (kept, options) = (self.0.plans.list(), &self.0.options);
        write!(f, "plans    {} of at most {}, {}", kept.len(), options.max_plans, options.plan.precision)?;
        kept.iter().rev().try_for_each(|(key, ready)| write!(f, "\n  {key}: {}", ready.compiled.summary()))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs) = (list(self.inputs()), list(self.outputs()));
        write!(f, "Session({inputs} -> {outputs}, on {}, {} plans)", self.device(), self.0.plans.list().len())
    }
}

fn given(owned: &[Owned]) -> Vec<Given<'_>> {
    owned.iter().map(|(name, desc, value)| Given { name, desc: desc.clone(), value: value.clone() }).collect()
}

/// The key of the plan for these inputs.
fn key_for(given: &[Owned]) -> String {
    let mut parts: Vec<_> =
        given.iter().map(|(name, desc, value)| format!("{name}: {desc}{}", key_of(value))).collect();
    parts.sort();
    parts.join(", ")
}

/// A value as part of a key: its exact elements.
fn key_of(value: &Option<Tensor>) -> String {
    let Some(tensor) = value else { return String::new() };
    tensor.to_i64s().map_or_else(|_| format!(" = {:?}", tensor.to_f64s()), |values| format!(" = {values:?}"))
}

#[cfg(not(target_arch = "wasm32"))]
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(Session, Compiled, DeviceTensor)>();
};

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::unary::{Activation, Unary};
    use crate::shape::{DType, Dim};

    /// `y = max(x, 0)` of any length; the values of `times` are read on the host but decide nothing.
    #[derive(Default)]
    struct Open {
        shaping: bool,
        /// How often it was bound.
        bound: Arc<AtomicUsize>,
    }

    impl Network for Open {}

    impl Bind for Open {
        fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
            check_given(&self.declared_inputs(), &[], inputs)?;
            self.bound.fetch_add(1, Ordering::Relaxed);
            let mut g = Graph::new();
            let mut y = g.input("x", inputs[0].desc.clone())?;
            for _ in 0..inputs.get(1).and_then(|g| g.value.clone()).map_or(1, |t| t.numel()) {
                y = g.layer(Unary(Activation::Relu), &[y])?;
            }
            g.output("y", y);
            Ok(g)
        }
        fn shape_inputs(&self) -> Vec<String> {
            if self.shaping { vec!["times".to_owned()] } else { vec![] }
        }
        fn declared_inputs(&self) -> Vec<ValueInfo> {
            let length = |name: &str| Some(vec![Dim::Named(name.to_owned())]);
            let times = ValueInfo::new("times", DType::I64, length("k"));
            let x = ValueInfo::new("x", DType::F32, length("n"));
            if self.shaping { vec![x, times] } else { vec![x] }
        }
        fn declared_outputs(&self) -> Vec<ValueInfo> {
            vec![ValueInfo::new("y", DType::F32, None)]
        }
    }

    fn session(options: CompileOptions) -> Session {
        Session::new(&Device::cpu(), Open::default(), options).unwrap()
    }

    fn keys(session: &Session) -> Vec<String> {
        session.0.plans.list().into_iter().map(|(key, _)| key).collect()
    }

    fn run(session: &Session, n: usize) {
        assert_eq!(session.run(&[("x", &Tensor::full([n], -1.0))]).unwrap()["y"], Tensor::zeros([n]));
    }

    #[test]
    fn a_session_keeps_as_many_plans_as_it_is_told() {
        let session = session(CompileOptions::new().max_plans(2));
        assert!(latest(&session).is_none());
        (1..=3).for_each(|n| run(&session, n));
        assert_eq!(keys(&session), ["x: f32[2]", "x: f32[3]"]);
        // The least recently used is dropped.
        [2, 4].into_iter().for_each(|n| run(&session, n));
        assert_eq!(keys(&session), ["x: f32[2]", "x: f32[4]"]);
        let kept = latest(&session).unwrap();
        run(&session, 4);
        assert!(Arc::ptr_eq(&kept, &latest(&session).unwrap()), "not compiled again");
        run(&session, 5);
        run(&session, 4);
        assert!(Arc::ptr_eq(&kept, &latest(&session).unwrap()));
    }

    /// Under the rule of the least recently used, each would be dropped just before it is wanted.
    #[test]
    fn one_size_more_than_there_is_room_for_is_not_compiled_in_every_round() {
        let network = Open::default();
        let bound = network.bound.clone();
        let session = Session::new(&Device::cpu(), network, CompileOptions::new()).unwrap();
        let rounds = |rounds: usize, sizes: usize| {
            let before = bound.load(Ordering::Relaxed);
            (0..rounds).for_each(|_| (1..=sizes).for_each(|n| run(&session, n)));
            bound.load(Ordering::Relaxed) - before
        };
        assert_eq!((rounds(1, 8), rounds(3, 8)), (8, 0));
        let made = rounds(20, 9);
        assert!((21..=60).contains(&made), "{made} plans in 20 rounds of 9");
        // Once it fits again, nothing is made any more.
        rounds(3, 8);
        assert_eq!(rounds(3, 8), 0);
    }

    #[test]
    fn plans_are_described_forgotten_and_limited() {
        let shape = |n: usize| [("x", Desc::f32([n]))];
        let session = session(CompileOptions::new());
        assert_eq!(session.plan_for(&shape(3)).unwrap().peak_bytes(), 0, "the reference plans nothing");
        assert!(keys(&session).is_empty(), "nothing was compiled");
        (1..=3).for_each(|n| run(&session, n));
        assert!(session.forget(&shape(2)).unwrap() && !session.forget(&shape(2)).unwrap());
        assert_eq!(keys(&session), ["x: f32[1]", "x: f32[3]"]);
        session.clear();
        assert!(keys(&session).is_empty());
        run(&session, 3);
        for wrong in [&[][..], &[("z", Desc::f32([3]))], &[("x", Desc::f32([3])), ("x", Desc::f32([3]))]] {
            assert_eq!(session.plan_for(wrong).unwrap_err().kind(), ErrorKind::Argument);
            assert_eq!(session.forget(wrong).unwrap_err().kind(), ErrorKind::Argument);
        }
        let by_value = Open { shaping: true, ..Open::default() };
        let by_value = Session::new(&Device::cpu(), by_value, CompileOptions::new()).unwrap();
        let e = by_value.plan_for(&[("x", Desc::f32([3])), ("times", Desc::new([1], DType::I64))]).unwrap_err();
        assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("the input times decides shapes"), "{e}");
    }

    /// A network of fixed shapes has one plan; without the weights on the host it cannot be made again.
    #[test]
    fn the_only_plan_stays_unless_the_host_keeps_the_weights() {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([2])).unwrap();
        let w = g.constant("w", Tensor::from([2.0f32, 3.0])).unwrap();
        let y = g.binary(x, w, crate::ops::binary::BinaryKind::Mul).unwrap();
        g.output("y", y);
        for keep in [false, true] {
            let options = CompileOptions::new().keep_weights(keep);
            let session = Session::new(&Device::cpu(), g.clone(), options).unwrap();
            session.clear();
            assert_eq!(keys(&session).is_empty(), keep);
            assert_eq!(session.run(&[("x", &Tensor::from([1.0f32, 1.0]))]).unwrap()["y"], Tensor::from([2.0f32, 3.0]));
            assert_eq!(session.forget(&[("x", Desc::f32([2]))]).unwrap(), keep);
        }
    }

    #[test]
    fn one_plan_at_the_least() {
        let one = session(CompileOptions::new().max_plans(1));
        (1..=2).for_each(|n| run(&one, n));
        assert_eq!(keys(&one), ["x: f32[2]"]);
        let none = CompileOptions::new().max_plans(0);
        let e = Session::new(&Device::cpu(), Open::default(), none).unwrap_err();
        assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("max_plans is 0"), "{e}");
        let many = session(CompileOptions::new());
        (1..=20).for_each(|n| run(&many, n));
        assert_eq!(keys(&many).len(), 8);
    }

    #[test]
    fn threads_that_meet_a_new_shape_at_once_leave_one_plan_of_it() {
        let session = session(CompileOptions::new().max_plans(2));
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    (1..200).for_each(|k| run(&session, 1 + k / 20 % 3));
                });
            }
        });
        let keys = keys(&session);
        assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    }

    #[test]
    fn threads_that_need_a_new_plan_at_once_make_it_once() {
        let network = Open::default();
        let bound = network.bound.clone();
        let session = Session::new(&Device::cpu(), network, CompileOptions::new()).unwrap();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    (1..=6).for_each(|n| run(&session, n));
                });
            }
        });
        assert_eq!((bound.load(Ordering::Relaxed), keys(&session).len()), (6, 6));
        assert!(session.0.turn("x: f32[7]").try_lock().is_some() && session.0.making.lock().unwrap().len() == 1);
    }

    #[test]
    fn values_that_decide_a_graph_are_part_of_the_key() {
        let session =
            Session::new(&Device::cpu(), Open { shaping: true, ..Open::default() }, CompileOptions::new()).unwrap();
        let x = Tensor::from([-1.0f32, 2.0]);
        for (times, nodes) in [(&[5i64][..], 1), (&[5, 6], 2), (&[6], 1)] {
            let times = Tensor::from(times);
            assert_eq!(session.run(&[("x", &x), ("times", &times)]).unwrap()["y"], Tensor::from([0.0f32, 2.0]));
            assert_eq!(latest(&session).unwrap().graph().nodes().len(), nodes);
        }
        let expected =
            ["times: i64[1] = [5], x: f32[2]", "times: i64[2] = [5, 6], x: f32[2]", "times: i64[1] = [6], x: f32[2]"];
        assert_eq!(keys(&session), expected);
        let (x, times) =
            (x.to_device(&Device::cpu()).unwrap(), Tensor::from([5i64]).to_device(&Device::cpu()).unwrap());
        let y = session.run_device(&[("x", &x), ("times", &times)]).unwrap();
        assert_eq!(DeviceTensor::try_from(y).unwrap().to_host().unwrap(), Tensor::from([0.0f32, 2.0]));
        assert_eq!(keys(&session).len(), 3);
    }

    #[test]
    fn what_a_session_shows() {
        let session = session(CompileOptions::new());
        assert_eq!(session.inputs()[0].dims, Some(vec![Dim::Named("n".to_owned())]));
        assert_eq!((session.outputs()[0].name.as_str(), session.outputs()[0].fixed()), ("y", None));
        run(&session, 3);
        let text = "session on CPU reference\n\
                    inputs   x: f32[n]\n\
                    outputs  y: f32[..]\n\
                    plans    1 of at most 8, f32\n  x: f32[3]: 1 nodes";
        assert_eq!(session.to_string(), text);
        assert_eq!(format!("{session:?}"), "Session(x: f32[n] -> y: f32[..], on CPU reference, 1 plans)");
        assert_eq!(format!("{:?}", latest(&session).unwrap()), "Compiled(1 nodes, on CPU reference)");
    }

    #[test]
    fn wrong_inputs_are_refused_before_anything_is_compiled() {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([2])).unwrap();
        g.output("y", x);
        let session = g.compile(&Device::cpu()).unwrap();
        let (x, long) = (Tensor::zeros([2]), Tensor::zeros([3]));
        let wrong = |inputs: &[(&str, &Tensor)]| session.run(inputs).unwrap_err();
        assert_eq!(wrong(&[("x", &long)]).to_string(), "the input x: f32[2] is given f32[3]");
        assert_eq!(wrong(&[("x", &long)]).kind(), ErrorKind::Shape);
        for inputs in [&[][..], &[("x", &x), ("z", &x)], &[("x", &x), ("x", &x)], &[("z", &x)]] {
            assert_eq!(wrong(inputs).kind(), ErrorKind::Argument);
        }
        assert_eq!(keys(&session), ["x: f32[2]"], "nothing else was compiled");
    }

    #[test]
    fn a_graph_without_outputs_has_no_session() {
        let mut g = Graph::new();
        g.input("x", Desc::f32([2])).unwrap();
        let e = g.compile(&Device::cpu()).unwrap_err();
        assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("no outputs"), "{e}");
    }

    #[test]
    fn fusion_can_be_left_out() {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([1, 1, 2, 2])).unwrap();
        let w = g.constant("w", Tensor::full([1, 1, 1, 1], 2.0)).unwrap();
        let y = g.layer(crate::ops::conv2d::Conv2d::default(), &[x, w]).unwrap();
        let y = g.layer(Unary(Activation::Relu), &[y]).unwrap();
        g.output("y", y);
        let nodes = |options: CompileOptions| {
            let session = Session::new(&Device::cpu(), g.clone(), options).unwrap();
            latest(&session).unwrap().graph().nodes().len()
        };
        assert_eq!((nodes(CompileOptions::new()), nodes(CompileOptions::new().fusion(false))), (1, 2));
    }
}

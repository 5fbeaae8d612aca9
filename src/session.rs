//! A network compiled for a device: planned once per set of input shapes, run any number of times.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
pub use crate::gpu::pipelines::Progress;
use crate::graph::Graph;
use crate::identity::Identity;
use crate::shape::{DType, Desc, ValueInfo, check_inputs, list, takes};
use crate::sync::Turns;
use crate::tensor::Tensor;

mod compiled;
mod host;
mod input;
mod on_device;
mod options;
mod outputs;
mod planned;
mod plans;
mod run;
mod values;

pub use compiled::Compiled;
pub use options::{CompileOptions, with_plan};
pub use outputs::Outputs;

pub use input::Input;
pub use run::Run;

pub(crate) use host::{Planned, Ready};
pub use planned::plan;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use planned::together;
pub(crate) use planned::{Memory, PlannedGraph};
use plans::{Key, Plans};
use run::Flights;
pub use values::evaluate_with_bounds;

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
/// ([`CompileOptions::max_plans`]). Threads may share a session: the runs of one plan take turns on the
/// device, and [`Session::submit`] keeps several in flight.
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
    /// A lock per plan that is being made: held by the call that makes it, and others that need it wait.
    making: Mutex<HashMap<Identity, Weak<Turns>>>,
    flights: Flights,
}

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

    /// What a plan for these inputs takes, before anything of it is allocated or compiled, whatever
    /// [`CompileOptions::memory_limit`] is. It also says early that a network cannot take these inputs. (The only plan of a
    /// network whose shapes are all fixed is made with the session. To ask before, open an axis by
    /// [`Model::open_axis`](crate::Model::open_axis), or set [`CompileOptions::memory_limit`]: the error says what it
    /// takes.)
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
        if let Some(memory) = self.0.plans.memory(identity(&given)) {
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
        Ok(!self.0.complete && self.0.plans.forget(identity(&given)))
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
                format!("the value of the input {name:?} decides shapes: its description is not enough for a plan");
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
        if let Some(found) = self.0.plans.recall(identity(&given)) {
            return Ok(found);
        }
        // To its end, even if nobody awaits it any more: others may wait for their turn.
        let inner = self.0.clone();
        self.0.device.beside(async move { inner.make(&given).await }).await?
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
        self.prepare(inputs).await?.begin().await?.await
    }

    /// Gives a run to the device, which computes it while the program goes on; the results are awaited by the [`Run`]. So
    /// the host prepares the next run and takes the results of the last one while the device computes.
    ///
    /// At most [`CompileOptions::in_flight`] runs of a session are in flight: one more waits for the oldest.
    ///
    /// # Errors
    /// As [`Session::run_async`].
    pub async fn submit_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Run> {
        // Before there is a place for it: others wait for places, and must not wait for a future that nobody polls any more.
        let prepared = self.prepare(inputs).await?;
        self.0.flights.reserve().await.start(Box::pin(prepared.fly()))
    }

    /// As [`Session::submit_async`], without waiting for room.
    ///
    /// # Errors
    /// Of kind [`Busy`](crate::ErrorKind::Busy) if as many runs are in flight as may be; otherwise as
    /// [`Session::run_async`].
    pub async fn try_submit_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Run> {
        let most = self.0.options.in_flight;
        let runs = if most == 1 { "a run".to_owned() } else { format!("{most} runs") };
        let busy = || {
            Error::new(
                ErrorKind::Busy,
                format!(
                    "the session has {runs} in flight, as many as CompileOptions::in_flight allows: take the results of one"
                ),
            )
        };
        if self.0.flights.is_full() {
            return Err(busy());
        }
        let prepared = self.prepare(inputs).await?;
        self.0.flights.try_reserve().ok_or_else(busy)?.start(Box::pin(prepared.fly()))
    }

    /// The inputs in the types of the network, and the plan for them.
    async fn prepare(&self, inputs: &[(&str, &Tensor)]) -> Result<Prepared> {
        let inner = self.0.clone();
        let inputs: Vec<_> = inputs.iter().map(|&(name, t)| (name.to_owned(), inner.as_computed(name, t))).collect();
        let value = |name: &str, t: &Tensor| inner.shapes(name).then(|| t.clone());
        let given = inputs.iter().map(|(name, t)| (name.clone(), t.desc(), value(name, t)));
        let ready = self.ready(given.collect()).await?;
        Ok(Prepared { inner, ready, inputs })
    }
}

/// A run before it begins.
struct Prepared {
    inner: Arc<Inner>,
    ready: Arc<Ready>,
    inputs: Vec<(String, Tensor)>,
}

impl Prepared {
    /// Submits the work. What is given back awaits the results, in the types that the network declares.
    async fn begin(self) -> Result<impl Future<Output = Result<Outputs>>> {
        let Prepared { inner, ready, inputs } = self;
        let given = inputs.iter().filter(|(name, _)| !inner.shapes(name)).map(|(name, t)| (name.as_str(), t));
        let flight = ready.start(&given.collect::<Vec<_>>()).await?;
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

    /// A run in flight: the first poll submits the work, others await the results.
    async fn fly(self) -> Result<Outputs> {
        let results = self.begin().await?;
        let mut begun = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut begun, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        results.await
    }
}

impl Inner {
    /// Makes a plan, unless another call has made it meanwhile.
    async fn make(&self, given: &[Owned]) -> Result<Arc<Ready>> {
        let key = key_for(given);
        let turn = self.turn(key.identity);
        let _turn = self.device.meanwhile(turn.take()).await;
        if let Some(found) = self.plans.recall(key.identity) {
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
    fn turn(&self, key: Identity) -> Arc<Turns> {
        let mut making = self.making.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(turn) = making.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        making.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turns::default());
        making.insert(key, Arc::downgrade(&turn));
        turn
    }

    async fn compile(&self, key: Key, graph: Graph) -> Result<Arc<Ready>> {
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

/// What distinguishes the plan for these inputs, in whatever order they are given.
fn identity(given: &[Owned]) -> Identity {
    let parts = given.iter().map(|(name, desc, value)| (name, desc, value.as_ref().map(Tensor::identity)));
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|(name, ..)| *name);
    Identity::of(parts)
}

/// The same, with a label for readers.
fn key_for(given: &[Owned]) -> Key {
    let mut parts: Vec<_> = given.iter().map(label).collect();
    parts.sort();
    Key { identity: identity(given), label: parts.join(", ") }
}

/// The most values of an input that a label shows.
const SHOWN: usize = 8;

fn label((name, desc, value): &Owned) -> String {
    let Some(values) = value.as_ref().and_then(|tensor| tensor.to_i64s().ok()) else {
        return format!("{name}: {desc}");
    };
    let more = if values.len() > SHOWN { ", .." } else { "" };
    let shown: Vec<_> = values.iter().take(SHOWN).map(i64::to_string).collect();
    format!("{name}: {desc} = [{}{more}]", shown.join(", "))
}

#[cfg(not(target_arch = "wasm32"))]
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(Session, Compiled, crate::DeviceTensor)>();
};

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
